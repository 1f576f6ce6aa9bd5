import {
  ApplicationError,
  type Device,
  type PasskeyRequestOptions,
  type VerifySecondFactor,
} from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { type OpenedSession, SignIns } from '../auth/sign-ins.js';
import { PasskeyCeremonies } from '../passkeys/passkey-ceremonies.js';
import { FactorChecks } from './factor-checks.js';
import { givenFactor } from './given-factor.js';
import { lockFactors } from './lock-factors.js';
import { committed } from './refusals.js';
import { SignInChallenges } from './sign-in-challenges.js';

/** The second step of sign-ins that were answered with `MFA_REQUIRED`, however their first one was done. */
@Injectable()
export class SecondStep {
  constructor(
    private readonly challenges: SignInChallenges,
    private readonly checks: FactorChecks,
    private readonly passkeys: PasskeyCeremonies,
    private readonly signIns: SignIns,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  /**
   * Takes the factor and opens the session; `SignIns.answer` it, or `SignIns.tokens`.
   * @throws ApplicationError INVALID_TOKEN, INVALID_CODE, INVALID_PASSKEY, RATE_LIMITED, VALIDATION_FAILED, FORBIDDEN
   *   for a deactivated account
   */
  verify(request: VerifySecondFactor & { device: Device }): Promise<OpenedSession> {
    const { challenge, device } = request;
    const given = givenFactor(request);
    return committed(this.transactions, async (tx) => {
      const now = this.clock.now();
      const owner = await this.challenges.find(tx, challenge, now);
      // As whoever changes the account does first, or the two could wait for one another.
      if (owner) await lockFactors(tx, owner.userId);
      const pending = await this.challenges.attempt(tx, challenge, now);
      if (!pending) return invalidChallenge();
      const { userId, method } = pending;
      const refusal = await this.checks.refusalOf(tx, {
        userId,
        given,
        device,
        place: 'sign_in',
        passkeyUse: { purpose: 'second_step', challenge },
        now,
      });
      if (refusal) return refusal;
      await this.challenges.remove(tx, challenge);
      return this.signIns.completeOrRefuse(
        tx,
        { id: userId },
        { method, device, secondFactor: given.factor },
      );
    });
  }

  /**
   * Lets a passkey of the account be the second step.
   * @throws ApplicationError INVALID_TOKEN
   */
  async passkeyOptions(challenge: string): Promise<PasskeyRequestOptions> {
    return this.transactions.run(async (tx) => {
      const now = this.clock.now();
      const pending = await this.challenges.find(tx, challenge, now);
      if (!pending) throw invalidChallenge();
      const use = { purpose: 'second_step', challenge } as const;
      return this.passkeys.requestOptions(tx, use, now, pending.userId);
    });
  }
}

function invalidChallenge(): ApplicationError {
  return new ApplicationError(
    'INVALID_TOKEN',
    'This sign-in was completed, has expired, or had five wrong tries: sign in again.',
  );
}
