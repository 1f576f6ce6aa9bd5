/*
 * The classes that gateways validate with. They load class-validator and @nestjs/swagger (some 70 MB), so services
 * take only the types, from the package's main entry.
 */
export * from './core/page.dto.js';
export * from './identity/identity.dto.js';
export * from './identity/admin-users.dto.js';
export * from './identity/audit-entries.dto.js';
export * from './identity/providers.dto.js';
export * from './identity/email-login.dto.js';
export * from './identity/members.dto.js';
export * from './identity/passkeys.dto.js';
export * from './identity/second-factor.dto.js';
export * from './identity/password-changes.dto.js';
export * from './identity/email-changes.dto.js';
export * from './identity/avatars.dto.js';
export * from './mentorship/mentors.dto.js';
export * from './mentorship/availability.dto.js';
export * from './mentorship/bookings.dto.js';
export * from './mentorship/sessions.dto.js';
export * from './chat/chat.dto.js';
export * from './notifications/notifications.dto.js';
export * from './payments/payments.dto.js';
export * from './operations/operations.dto.js';
