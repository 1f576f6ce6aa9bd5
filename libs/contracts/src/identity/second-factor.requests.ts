import { idField } from '../core/field-checks.js';
import { request } from '../core/request.js';
import type { Device, SignedIn } from './identity.dto.js';
import type { PasskeyRequestOptions } from './passkeys.dto.js';
import type {
  ConfirmTotp,
  DisableTotp,
  RecoveryCodes,
  SecondFactorProof,
  SecondFactorStatus,
  SecondStepPasskey,
  TotpEnrolment,
  VerifySecondFactor,
} from './second-factor.dto.js';

export const SecondFactors = {
  status: request.user<Record<string, never>, SecondFactorStatus>('identity.second_factors.status'),
  enrolTotp: request.user<{ device: Device }, TotpEnrolment>('identity.second_factors.enrol_totp'),
  confirmTotp: request.user<ConfirmTotp & { device: Device }, RecoveryCodes>(
    'identity.second_factors.confirm_totp',
  ),
  disableTotp: request.user<DisableTotp & { device: Device }, void>(
    'identity.second_factors.disable_totp',
  ),
  replaceRecoveryCodes: request.user<SecondFactorProof & { device: Device }, RecoveryCodes>(
    'identity.second_factors.replace_recovery_codes',
  ),
  /** The second step of a sign-in that was answered with `MFA_REQUIRED`. */
  verify: request.public<VerifySecondFactor & { device: Device }, SignedIn>(
    'identity.second_factors.verify',
  ),
  /** Lets a passkey be the second step. */
  passkeyOptions: request.public<SecondStepPasskey, PasskeyRequestOptions>(
    'identity.second_factors.passkey_options',
  ),
};

export const Reauthentication = {
  /**
   * Fails with REAUTHENTICATION_REQUIRED unless the user of a session has proven within the last ten minutes who they
   * are. For what other services let only such users do.
   */
  check: request.service<{ session_id: number }, void>('identity.reauthentication.check', {
    fields: { session_id: idField },
  }),
};
