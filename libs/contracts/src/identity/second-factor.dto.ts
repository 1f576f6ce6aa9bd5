import {
  Flag,
  GivenPassword,
  Instant,
  Integer,
  Items,
  Nested,
  Pattern,
  Text,
  Texts,
} from '../core/fields.js';
import { PasskeyAssertion, PasskeyView } from './passkeys.dto.js';

/** What can be the second step of a sign-in. */
export const secondFactors = ['totp', 'recovery_code', 'passkey'] as const;
export type SecondFactor = (typeof secondFactors)[number];

/** A one-time password of an authenticator app, as the app shows it. */
function TotpCode(options: { optional?: boolean } = {}): PropertyDecorator {
  return Pattern(/^\d{3} ?\d{3}$/, 'the six digits that the authenticator app shows', {
    example: '123456',
    description: 'The six digits that the authenticator app shows; each works once.',
    ...options,
  });
}

function RecoveryCode(): PropertyDecorator {
  return Text({
    max: 64,
    optional: true,
    example: '7K3M9Q-X2R8TW-4HVB6N-D5Y0ZC',
    description: 'One of the recovery codes; each works once. Case and dashes do not matter.',
  });
}

/** What is to be put into an authenticator app. */
export class TotpEnrolment {
  @Text({ max: 2048, example: 'otpauth://totp/MentorHub:ada%40example.com?secret=…' })
  otpauth_uri: string;

  @Text({ max: 64, description: 'The secret of the address, to type in; base32.' })
  secret: string;

  @Text({ max: 65_536, description: 'The address as a QR code, a PNG image in a `data:` URL.' })
  qr: string;

  @Integer({ example: 600, description: 'Seconds in which the enrolment can be confirmed.' })
  expires_in: number;
}

export class ConfirmTotp {
  @TotpCode()
  code: string;
}

export class RecoveryCodes {
  @Texts({
    maxItems: 10,
    max: 32,
    description: 'Shown this once, each for one use. The codes before stop working.',
  })
  recovery_codes: string[];
}

/** Exactly one of them. */
export class DisableTotp {
  @TotpCode({ optional: true })
  code?: string;

  @RecoveryCode()
  recovery_code?: string;
}

/** Exactly one of them. */
export class SecondFactorProof extends DisableTotp {
  @Nested(() => PasskeyAssertion, { optional: true })
  passkey?: PasskeyAssertion;
}

/** Exactly one besides the challenge. */
export class VerifySecondFactor extends SecondFactorProof {
  @Text({ max: 128, description: 'Of the answer `MFA_REQUIRED`.' })
  challenge: string;
}

export class SecondStepPasskey {
  @Text({ max: 128, description: 'Of the answer `MFA_REQUIRED`.' })
  challenge: string;
}

/** What stands between the password of an account and a session. */
export class SecondFactorStatus {
  @Flag({ description: 'A sign-in needs a second step.' })
  enabled: boolean;

  @Instant({ nullable: true, description: 'Since when an authenticator app is set up.' })
  totp_since: string | null;

  @Integer({ min: 0, example: 10 })
  recovery_codes_left: number;

  @Items(() => PasskeyView)
  passkeys: PasskeyView[];
}

/** Proof that the one who holds the session is its user still: exactly one of them. */
export class Reauthenticate {
  @GivenPassword({
    optional: true,
    description: "The account's password; of accounts without a second factor alone.",
  })
  password?: string;

  @TotpCode({ optional: true })
  code?: string;

  @Nested(() => PasskeyAssertion, { optional: true })
  passkey?: PasskeyAssertion;
}
