export * from './core/index.js';
export * from './identity/identity.requests.js';
export * from './identity/identity.events.js';
export type * from './dto.js';
