import {
  ApplicationError,
  type Caller,
  type ConfirmTotp,
  type Device,
  type DisableTotp,
  type RecoveryCodes as RecoveryCodesView,
  recoveryCodesReplaced,
  type SecondFactorProof,
  type SecondFactorStatus,
  totpDisabled,
  totpEnabled,
  type TotpEnrolment,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import { StepUp } from '../auth/step-up.js';
import { PasskeysRepository } from '../passkeys/passkeys.repository.js';
import { toPasskeyView } from '../passkeys/passkey.views.js';
import { UsersRepository } from '../users/users.repository.js';
import { FactorChecks, wrongCode } from './factor-checks.js';
import { type GivenFactor, givenFactor } from './given-factor.js';
import { lockFactors } from './lock-factors.js';
import { RecoveryCodes } from './recovery-codes.js';
import { committed } from './refusals.js';
import { enrolmentMs, TotpFactors } from './totp-factors.js';
import { TotpGuesses } from './totp-guesses.js';

type From<Request> = Request & { device: Device };

/** Lets users set up, replace and switch off the second factors of their accounts. */
@Injectable()
export class SecondFactorService {
  constructor(
    private readonly users: UsersRepository,
    private readonly totp: TotpFactors,
    private readonly guesses: TotpGuesses,
    private readonly recoveryCodes: RecoveryCodes,
    private readonly passkeys: PasskeysRepository,
    private readonly checks: FactorChecks,
    private readonly stepUp: StepUp,
    private readonly audit: AuditTrail,
    private readonly outbox: Outbox,
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  async status(actor: Caller): Promise<SecondFactorStatus> {
    const { manager } = this.dataSource;
    const userId = actor.user_id;
    const since = await this.totp.since(manager, userId);
    const passkeys = await this.passkeys.of(manager, userId);
    return {
      enabled: since !== undefined || passkeys.length > 0,
      totp_since: since?.toISOString() ?? null,
      recovery_codes_left: await this.recoveryCodes.left(manager, userId),
      passkeys: passkeys.map(toPasskeyView),
    };
  }

  /**
   * Makes a secret for an authenticator app. It counts once `confirmTotp` has seen a code of it, within ten minutes.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED, WRONG_STATE where an app is set up
   */
  async enrolTotp(actor: Caller, { device }: From<object>): Promise<TotpEnrolment> {
    await this.stepUp.requireFor(actor, 'totp.enrol', device);
    const user = await this.users.byId(actor.user_id);
    const { secret, uri } = await this.transactions.run(async (tx) => {
      await lockFactors(tx, user.id);
      await this.stepUp.requireIn(tx, actor);
      const enrolment = await this.totp.enrol(tx, user, actor.session_id, this.clock.now());
      if (!enrolment) {
        throw new ApplicationError(
          'WRONG_STATE',
          'An authenticator app is set up: switch it off first, with DELETE /api/v1/auth/mfa/totp.',
        );
      }
      await this.audit.record(tx, { action: 'totp.enrol', ...by(actor, device) });
      return enrolment;
    });
    // Seldom needed, so loaded when it is.
    const { toDataURL } = await import('qrcode');
    return { otpauth_uri: uri, secret, qr: await toDataURL(uri), expires_in: enrolmentMs / 1000 };
  }

  /**
   * Sets the app up, and makes recovery codes. The code is taken from the device that was given the secret alone.
   * @throws ApplicationError INVALID_CODE, RATE_LIMITED, WRONG_STATE where no enrolment of this device waits for a code
   */
  confirmTotp(actor: Caller, { code, device }: From<ConfirmTotp>): Promise<RecoveryCodesView> {
    const userId = actor.user_id;
    return committed(this.transactions, async (tx) => {
      const now = this.clock.now();
      await lockFactors(tx, userId);
      await this.stepUp.requireSessionIn(tx, actor);
      const enrolment = { userId, sessionId: actor.session_id };
      if (!(await this.totp.isEnrolling(tx, enrolment, now))) return nothingToConfirm();
      const isFirst = (await this.checks.methods(tx, userId)).length === 0;
      const { refusal } = await this.guesses.admit(tx, userId, 'session', now);
      if (refusal || !(await this.totp.confirm(tx, enrolment, code, now))) {
        await this.audit.record(tx, {
          action: 'totp.enable',
          outcome: 'failure',
          ...by(actor, device),
        });
        return refusal ?? wrongCode();
      }
      await this.guesses.clear(tx, userId, 'session');
      await this.audit.record(tx, { action: 'totp.enable', ...by(actor, device) });
      await this.outbox.add(tx, totpEnabled, userId, { user_id: userId });
      if (isFirst) await this.stepUp.expireElsewhere(tx, actor);
      return { recovery_codes: await this.recoveryCodes.replace(tx, userId, now) };
    });
  }

  /**
   * Takes the app away, which only one who has it, or a recovery code, may do.
   * @throws ApplicationError INVALID_CODE, RATE_LIMITED, VALIDATION_FAILED, WRONG_STATE where no app is set up
   */
  async disableTotp(actor: Caller, request: From<DisableTotp>): Promise<void> {
    const { device } = request;
    const userId = actor.user_id;
    const given = givenFactor(request, ['code', 'recovery_code']);
    await committed(this.transactions, async (tx) => {
      await lockFactors(tx, userId);
      await this.stepUp.requireSessionIn(tx, actor);
      if ((await this.totp.since(tx, userId)) === undefined) return noApp();
      const refusal = await this.refusalOf(tx, actor, given, device);
      if (refusal) return refusal;
      await this.totp.remove(tx, userId);
      await this.guesses.clear(tx, userId);
      const secondStep = await this.passkeys.has(tx, userId);
      if (!secondStep) await this.recoveryCodes.remove(tx, userId);
      await this.audit.record(tx, {
        action: 'totp.disable',
        ...by(actor, device),
        detail: { by: given.factor, second_step: secondStep },
      });
      await this.outbox.add(tx, totpDisabled, userId, {
        user_id: userId,
        second_step: secondStep,
      });
      return undefined;
    });
  }

  /**
   * Makes new recovery codes; the codes before stop working.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED, INVALID_CODE, INVALID_PASSKEY, RATE_LIMITED, VALIDATION_FAILED,
   *   WRONG_STATE where there is no second factor
   */
  async replaceRecoveryCodes(
    actor: Caller,
    request: From<SecondFactorProof>,
  ): Promise<RecoveryCodesView> {
    const { device } = request;
    const userId = actor.user_id;
    const given = givenFactor(request);
    await this.stepUp.requireFor(actor, 'recovery_codes.replace', device);
    return committed(this.transactions, async (tx) => {
      await lockFactors(tx, userId);
      await this.stepUp.requireIn(tx, actor);
      if ((await this.checks.methods(tx, userId)).length === 0) return noSecondFactor();
      const refusal = await this.refusalOf(tx, actor, given, device);
      if (refusal) return refusal;
      const recovery_codes = await this.recoveryCodes.replace(tx, userId, this.clock.now());
      await this.audit.record(tx, {
        action: 'recovery_codes.replace',
        ...by(actor, device),
        detail: { by: given.factor },
      });
      await this.outbox.add(tx, recoveryCodesReplaced, userId, { user_id: userId });
      return { recovery_codes };
    });
  }

  private refusalOf(
    tx: EntityManager,
    { user_id: userId, session_id: sessionId }: Caller,
    given: GivenFactor,
    device: Device,
  ): Promise<ApplicationError | undefined> {
    return this.checks.refusalOf(tx, {
      userId,
      sessionId,
      given,
      device,
      place: 'session',
      passkeyUse: { purpose: 'confirmation', sessionId },
      now: this.clock.now(),
    });
  }
}

/** Who an entry of the audit trail is about. */
function by({ user_id: actorId, session_id: sessionId }: Caller, device: Device) {
  return { actorId, sessionId, device };
}

function nothingToConfirm(): ApplicationError {
  return new ApplicationError(
    'WRONG_STATE',
    'There is nothing to confirm, or ten minutes have passed: begin again with POST /api/v1/auth/mfa/totp.',
  );
}

function noApp(): ApplicationError {
  return new ApplicationError('WRONG_STATE', 'No authenticator app is set up.');
}

function noSecondFactor(): ApplicationError {
  return new ApplicationError(
    'WRONG_STATE',
    'The account has no second factor: set up an authenticator app or add a passkey first.',
  );
}
