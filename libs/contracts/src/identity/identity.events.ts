import type { Locale } from '../core/caller.js';
import { event } from '../core/event.js';
import { signal } from '../core/signal.js';
import type { RoleAtRegistration } from './identity.dto.js';
import type { UserSummary, RevokedSession } from './identity.requests.js';

export interface UserRegistered extends UserSummary {
  role: RoleAtRegistration;
  locale: Locale;
  timezone: string;
}

export const userRegistered = event<UserRegistered>('identity.user.registered');
export const userUpdated = event<UserSummary & { locale: Locale; timezone: string }>(
  'identity.user.updated',
);
/** The account was deleted because its address was not verified in time. */
export const userExpired = event<{ user_id: number }>('identity.user.expired');
export const userEmailVerified = event<{ user_id: number }>('identity.user.email_verified');
export const sessionRevoked = event<RevokedSession & { user_id: number }>(
  'identity.session.revoked',
);

/** Broadcast when keys that signed access tokens are not to be trusted any more, or others take their place. */
export const signingKeysChangedSignal = signal<{ withdrawn: string[] }>('identity.keys.changed');

/** Broadcast at once after the commit, so that every gateway drops the session. */
export const sessionRevokedSignal = signal<RevokedSession>('identity.session.revoked');
