import {
  ApplicationError,
  type Device,
  recoveryCodeUsed,
  type SecondFactor,
  signInCodesGuessed,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import type { ChallengeUse } from '../passkeys/passkey-challenges.js';
import { PasskeyCeremonies } from '../passkeys/passkey-ceremonies.js';
import type { GivenFactor } from './given-factor.js';
import { RecoveryCodes } from './recovery-codes.js';
import { TotpFactors } from './totp-factors.js';
import { type GuessPlace, TotpGuesses } from './totp-guesses.js';

/** A factor that somebody shows, where, and for which account. */
export interface FactorUse {
  userId: number;
  given: GivenFactor;
  place: GuessPlace;
  /** What the challenge of a passkey was issued for. */
  passkeyUse: ChallengeUse;
  device: Device;
  /** The session of one who is signed in. */
  sessionId?: number;
  now: Date;
}

type Refusal =
  'wrong_code' | 'too_many_codes' | 'wrong_recovery_code' | 'unproven_passkey' | 'copied_passkey';

/** The second factors of accounts: which there are, and whether one that is shown is right. */
@Injectable()
export class FactorChecks {
  constructor(
    private readonly totp: TotpFactors,
    private readonly guesses: TotpGuesses,
    private readonly recoveryCodes: RecoveryCodes,
    private readonly passkeys: PasskeyCeremonies,
    private readonly audit: AuditTrail,
    private readonly outbox: Outbox,
  ) {}

  /** What a sign-in of the account takes as its second step; nothing, when it needs none. */
  async methods(tx: EntityManager, userId: number): Promise<SecondFactor[]> {
    const [row] = await tx.query<[Record<SecondFactor, boolean>]>(
      `SELECT
         EXISTS (SELECT FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL) AS totp,
         EXISTS (SELECT FROM recovery_codes WHERE user_id = $1) AS recovery_code,
         EXISTS (SELECT FROM passkeys WHERE user_id = $1) AS passkey`,
      [userId],
    );
    if (!row.totp && !row.passkey) return [];
    return (['totp', 'recovery_code', 'passkey'] as const).filter((factor) => row[factor]);
  }

  /**
   * Checks a factor and uses it up; resolves to the refusal of a wrong one. That is not thrown, because what was counted
   * and recorded has to be committed: throw it afterwards.
   */
  async refusalOf(tx: EntityManager, use: FactorUse): Promise<ApplicationError | undefined> {
    const { userId, given, device, sessionId } = use;
    const refused = await this.check(tx, use);
    if (!refused) return undefined;
    const [reason, error] = refused;
    await this.audit.record(tx, {
      action: 'second_factor.check',
      outcome: 'failure',
      actorId: sessionId === undefined ? null : userId,
      userId,
      sessionId,
      device,
      detail: { factor: given.factor, reason },
    });
    return error;
  }

  private async check(
    tx: EntityManager,
    use: FactorUse,
  ): Promise<[Refusal, ApplicationError] | undefined> {
    const { userId, given, now } = use;
    if (given.factor === 'totp') return this.checkCode(tx, given.code, use);
    if (given.factor === 'recovery_code') return this.checkRecoveryCode(tx, given.code, use);
    const verdict = await this.passkeys.verify(tx, use.passkeyUse, given.assertion, {
      now,
      userId,
    });
    return verdict.refused ? [`${verdict.refused}_passkey`, wrongPasskey()] : undefined;
  }

  private async checkCode(
    tx: EntityManager,
    code: string,
    { userId, place, now }: FactorUse,
  ): Promise<[Refusal, ApplicationError] | undefined> {
    const admission = await this.guesses.admit(tx, userId, place, now);
    if (admission.refusal) return ['too_many_codes', admission.refusal];
    if (!(await this.totp.redeem(tx, userId, code, now))) {
      if (admission.isLastFree && place === 'sign_in') {
        await this.outbox.add(tx, signInCodesGuessed, userId, { user_id: userId });
      }
      return ['wrong_code', wrongCode()];
    }
    await this.guesses.clear(tx, userId, place);
    return undefined;
  }

  private async checkRecoveryCode(
    tx: EntityManager,
    code: string,
    { userId, device, sessionId }: FactorUse,
  ): Promise<[Refusal, ApplicationError] | undefined> {
    const left = await this.recoveryCodes.redeem(tx, userId, code);
    if (left === undefined) return ['wrong_recovery_code', wrongRecoveryCode()];
    await this.outbox.add(tx, recoveryCodeUsed, userId, { user_id: userId, left });
    await this.audit.record(tx, {
      action: 'recovery_code.use',
      actorId: userId,
      sessionId,
      device,
      detail: { left },
    });
    return undefined;
  }
}

/** The answer to a code that the authenticator app does not show, or did not use to. */
export function wrongCode(): ApplicationError {
  return new ApplicationError(
    'INVALID_CODE',
    'This is not the code that the authenticator app shows, or it was used already: wait for the next one. If none works, set the clock of the device.',
    { errors: [{ field: 'code', message: 'code is wrong or was used.' }] },
  );
}

function wrongRecoveryCode(): ApplicationError {
  return new ApplicationError(
    'INVALID_CODE',
    'This recovery code is unknown or was used: try another one.',
    { errors: [{ field: 'recovery_code', message: 'recovery_code is unknown or was used.' }] },
  );
}

/** The answer to every passkey that proves nothing, whatever the reason. */
export function wrongPasskey(): ApplicationError {
  return new ApplicationError(
    'INVALID_PASSKEY',
    'The passkey is not one of this account, its user was not recognised, or its challenge was used or has expired: ask for new options and try again.',
  );
}
