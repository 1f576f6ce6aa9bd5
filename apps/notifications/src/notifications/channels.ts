import type { NotificationType } from '@mentorhub/contracts';

/** Where a notification goes: the list in the app and its live frame, and by mail. */
export type Channel = 'app' | 'mail';

/**
 * Which types also send a mail: those that ask for something or that someone away from the app must know. `welcome` and
 * `email_verified` come with the verification mail or right after it; of `email_changed` the old address learns by a mail of
 * its own; a chat would send too many.
 */
export const channels: Record<NotificationType, readonly Channel[]> = {
  welcome: ['app'],
  email_verified: ['app'],
  new_sign_in: ['app', 'mail'],
  refresh_token_reused: ['app', 'mail'],
  provider_linked: ['app', 'mail'],
  provider_unlinked: ['app', 'mail'],
  totp_enabled: ['app', 'mail'],
  totp_disabled: ['app', 'mail'],
  passkey_added: ['app', 'mail'],
  passkey_removed: ['app', 'mail'],
  recovery_code_used: ['app', 'mail'],
  recovery_codes_replaced: ['app', 'mail'],
  sign_in_codes_guessed: ['app', 'mail'],
  email_changed: ['app'],
  password_changed: ['app', 'mail'],
  session_requested: ['app', 'mail'],
  session_confirmed: ['app', 'mail'],
  session_cancelled: ['app', 'mail'],
  session_expired: ['app', 'mail'],
  session_completed: ['app'],
  session_missed: ['app', 'mail'],
  meeting_link_added: ['app', 'mail'],
  new_message: ['app'],
  review_received: ['app', 'mail'],
  mentor_approved: ['app', 'mail'],
  mentor_rejected: ['app', 'mail'],
  payment_received: ['app', 'mail'],
  payment_failed: ['app'],
  payment_refunded: ['app', 'mail'],
};
