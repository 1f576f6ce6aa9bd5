import {
  ApplicationError,
  type AuditAction,
  type Caller,
  type Device,
  type Reauthenticate,
} from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import { invalidCode } from '../mailed-codes/mailed-codes.js';
import { ReauthenticationCodes } from '../mailed-codes/reauthentication-codes.js';
import { FactorChecks } from '../second-factor/factor-checks.js';
import { exactlyOneOf, type GivenFactor, givenFactor } from '../second-factor/given-factor.js';
import { lockFactors } from '../second-factor/lock-factors.js';
import { committed } from '../second-factor/refusals.js';
import { UsersRepository } from '../users/users.repository.js';
import { Credentials } from './credentials.js';
import { LoginThrottle } from './login-throttle.js';
import { StepUp } from './step-up.js';

const ways = ['password', 'code', 'passkey'] as const;

/** Takes a proof that the one who holds a session is its user still. */
@Injectable()
export class Reauthentication {
  constructor(
    private readonly credentials: Credentials,
    private readonly factors: FactorChecks,
    private readonly mailedCodes: ReauthenticationCodes,
    private readonly users: UsersRepository,
    private readonly throttle: LoginThrottle,
    private readonly stepUp: StepUp,
    private readonly audit: AuditTrail,
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  /**
   * Renews the proof of the actor's session. The password does for accounts without a second factor alone; the code is
   * one of a mail for accounts that have neither.
   * @throws ApplicationError MFA_REQUIRED, INVALID_CREDENTIALS, INVALID_CODE, INVALID_PASSKEY, RATE_LIMITED, OVERLOADED,
   *   VALIDATION_FAILED unless there is exactly one proof
   */
  async accept(actor: Caller, request: Reauthenticate & { device: Device }): Promise<void> {
    const { password, code, device } = request;
    if (ways.filter((way) => request[way] !== undefined).length !== 1) throw exactlyOneOf(ways);
    if (code !== undefined && (await this.mailedCodes.isOnlyWay(actor.user_id))) {
      return this.acceptMailedCode(actor, code, device);
    }
    if (password === undefined) return this.acceptFactor(actor, givenFactor(request), device);
    const methods = await this.factors.methods(this.dataSource.manager, actor.user_id);
    if (methods.length > 0) throw factorRequired(methods);
    await this.credentials.checkOwn(actor.user_id, password, device);
    await committed(this.transactions, async (tx) => {
      await lockFactors(tx, actor.user_id);
      // Set up while the password was checked.
      const added = await this.factors.methods(tx, actor.user_id);
      if (added.length > 0) return factorRequired(added);
      return this.renew(tx, actor, 'reauthentication.password', device);
    });
  }

  private async acceptFactor(actor: Caller, given: GivenFactor, device: Device): Promise<void> {
    const { user_id: userId, session_id: sessionId } = actor;
    const action =
      given.factor === 'passkey' ? 'reauthentication.passkey' : 'reauthentication.totp';
    await committed(this.transactions, async (tx) => {
      await lockFactors(tx, userId);
      const refusal = await this.factors.refusalOf(tx, {
        userId,
        sessionId,
        given,
        device,
        place: 'session',
        passkeyUse: { purpose: 'confirmation', sessionId },
        now: this.clock.now(),
      });
      return refusal ?? this.renew(tx, actor, action, device);
    });
  }

  private async acceptMailedCode(actor: Caller, code: string, device: Device): Promise<void> {
    const { user_id: userId, session_id: sessionId } = actor;
    const { email } = await this.users.byId(userId);
    const attempt = await this.throttle.admit(email, device.ip);
    const right = await this.mailedCodes.check(actor, code);
    const isAccepted =
      right !== undefined &&
      (await this.transactions.run(async (tx) => {
        await lockFactors(tx, userId);
        if (!(await this.mailedCodes.isOnlyWay(userId, tx))) return false;
        if (!(await this.mailedCodes.redeem(tx, right))) return false;
        await this.renew(tx, actor, 'reauthentication.email', device);
        return true;
      }));
    if (isAccepted) return this.throttle.clear(attempt);
    await this.audit.note({
      action: 'reauthentication.email',
      outcome: 'failure',
      actorId: userId,
      sessionId,
      device,
    });
    throw invalidCode();
  }

  private async renew(
    tx: EntityManager,
    { user_id: actorId, session_id: sessionId }: Caller,
    action: AuditAction,
    device: Device,
  ): Promise<void> {
    await this.stepUp.renew(tx, sessionId);
    await this.audit.record(tx, { action, actorId, sessionId, device });
  }
}

function factorRequired(found: readonly string[]): ApplicationError {
  const methods = found.filter((method) => method !== 'recovery_code');
  return new ApplicationError(
    'MFA_REQUIRED',
    'The account has a second factor: send a code of the authenticator app or a passkey instead of the password.',
    { data: { mfa_required: true, methods } },
  );
}
