/*
 * The classes that gateways validate with. They load class-validator and @nestjs/swagger (some 70 MB), so services
 * take only the types, from the package's main entry.
 */
export * from './core/page.dto.js';
export * from './identity/identity.dto.js';
