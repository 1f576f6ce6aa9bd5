import { event } from '../core/event.js';

interface FactorRemoved {
  user_id: number;
  /** Whether sign-ins of the account still need a second step. */
  second_step: boolean;
}

/** An authenticator app was set up. */
export const totpEnabled = event<{ user_id: number }>('identity.user.totp_enabled');
export const totpDisabled = event<FactorRemoved>('identity.user.totp_disabled');
export const passkeyAdded = event<{ user_id: number }>('identity.user.passkey_added');
export const passkeyRemoved = event<FactorRemoved>('identity.user.passkey_removed');
export const recoveryCodeUsed = event<{ user_id: number; left: number }>(
  'identity.user.recovery_code_used',
);
/** Somebody passed the first step of signing in, and then gave ten wrong codes of the authenticator app in a row. */
export const signInCodesGuessed = event<{ user_id: number }>('identity.user.sign_in_codes_guessed');
export const recoveryCodesReplaced = event<{ user_id: number }>(
  'identity.user.recovery_codes_replaced',
);
