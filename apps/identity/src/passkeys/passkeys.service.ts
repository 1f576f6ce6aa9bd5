import {
  type AddPasskey,
  ApplicationError,
  type ById,
  type Caller,
  type Device,
  type PasskeyAdded,
  passkeyAdded,
  type PasskeyCreationOptions,
  type PasskeyList,
  passkeyRemoved,
  type PasskeyRequestOptions,
  type PasskeySignIn,
  type PasskeyView,
  type RenamePasskey,
  type SignedIn,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { isUniqueViolation, Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import { type OpenedSession, SignIns } from '../auth/sign-ins.js';
import { StepUp } from '../auth/step-up.js';
import { NetworkCounters, type NetworkLimit } from '../limits/network-counters.js';
import { NetworkFailures } from '../limits/network-failures.js';
import { sourceOf } from '../limits/source.js';
import { FactorChecks, wrongPasskey } from '../second-factor/factor-checks.js';
import { lockFactors } from '../second-factor/lock-factors.js';
import { RecoveryCodes } from '../second-factor/recovery-codes.js';
import { committed } from '../second-factor/refusals.js';
import { UsersRepository } from '../users/users.repository.js';
import { PasskeyCeremonies } from './passkey-ceremonies.js';
import { toPasskeyView } from './passkey.views.js';
import { PasskeysRepository } from './passkeys.repository.js';

const mostPasskeys = 20;

/** Each begun sign-in stores a challenge, for anybody. */
const beginningLimit: NetworkLimit = {
  kind: 'passkey_sign_in',
  most: 300,
  windowMs: 15 * 60_000,
  what: 'sign-ins with a passkey',
};

const failureLimit: NetworkLimit = {
  kind: 'passkey_failure',
  most: 60,
  windowMs: 15 * 60_000,
  what: 'failed sign-ins with a passkey',
};

/** Lets users register passkeys and sign in with them alone. */
@Injectable()
export class PasskeysService {
  constructor(
    private readonly users: UsersRepository,
    private readonly passkeys: PasskeysRepository,
    private readonly ceremonies: PasskeyCeremonies,
    private readonly checks: FactorChecks,
    private readonly recoveryCodes: RecoveryCodes,
    private readonly networks: NetworkCounters,
    private readonly failures: NetworkFailures,
    private readonly signIns: SignIns,
    private readonly stepUp: StepUp,
    private readonly audit: AuditTrail,
    private readonly outbox: Outbox,
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  /** @throws ApplicationError REAUTHENTICATION_REQUIRED */
  async registrationOptions(actor: Caller): Promise<PasskeyCreationOptions> {
    await this.stepUp.requireFor(actor, 'passkey.add');
    const user = await this.users.byId(actor.user_id);
    const use = { purpose: 'registration', sessionId: actor.session_id } as const;
    return this.transactions.run((tx) =>
      this.ceremonies.creationOptions(tx, use, user, this.clock.now()),
    );
  }

  /**
   * Registers a passkey. From the first second factor on, sign-ins need a second step, so it brings recovery codes.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED, INVALID_PASSKEY, CONFLICT for one that is registered,
   *   WRONG_STATE for one too many
   */
  async add(
    actor: Caller,
    { name = 'Passkey', credential, device }: AddPasskey & { device: Device },
  ): Promise<PasskeyAdded> {
    await this.stepUp.requireFor(actor, 'passkey.add', device);
    const { user_id: userId, session_id: sessionId } = actor;
    try {
      return await committed(this.transactions, async (tx) => {
        const now = this.clock.now();
        await lockFactors(tx, userId);
        await this.stepUp.requireIn(tx, actor);
        const use = { purpose: 'registration', sessionId } as const;
        const created = await this.ceremonies.verifyCreation(tx, use, credential, now);
        if (!created) {
          await this.audit.record(tx, {
            action: 'passkey.add',
            outcome: 'failure',
            actorId: userId,
            sessionId,
            device,
          });
          return wrongPasskey();
        }
        if ((await this.passkeys.of(tx, userId)).length >= mostPasskeys) return tooManyPasskeys();
        const isFirst = (await this.checks.methods(tx, userId)).length === 0;
        const passkey = await this.passkeys.insert(tx, {
          ...created,
          userId,
          name,
          createdAt: now,
        });
        await this.audit.record(tx, {
          action: 'passkey.add',
          actorId: userId,
          sessionId,
          device,
          detail: { passkey_id: passkey.id },
        });
        if (isFirst) await this.stepUp.expireElsewhere(tx, actor);
        await this.outbox.add(tx, passkeyAdded, userId, { user_id: userId });
        return Object.assign(
          toPasskeyView(passkey),
          isFirst && { recovery_codes: await this.recoveryCodes.replace(tx, userId, now) },
        );
      });
    } catch (error) {
      if (!isUniqueViolation(error, 'passkeys_credential_id_key')) throw error;
      throw new ApplicationError('CONFLICT', 'This passkey is registered already.');
    }
  }

  async list(actor: Caller): Promise<PasskeyList> {
    const passkeys = await this.passkeys.of(this.dataSource.manager, actor.user_id);
    return { items: passkeys.map(toPasskeyView) };
  }

  /** @throws ApplicationError REAUTHENTICATION_REQUIRED, NOT_FOUND */
  async rename(
    actor: Caller,
    { id, name, device }: RenamePasskey & ById & { device: Device },
  ): Promise<PasskeyView> {
    await this.stepUp.requireFor(actor, 'passkey.rename', device);
    const { user_id: userId, session_id: sessionId } = actor;
    return this.transactions.run(async (tx) => {
      await lockFactors(tx, userId);
      await this.stepUp.requireIn(tx, actor);
      const passkey = await this.passkeys.rename(tx, { id, userId, name });
      if (!passkey) throw ApplicationError.notFound('The passkey');
      await this.audit.record(tx, {
        action: 'passkey.rename',
        actorId: userId,
        sessionId,
        device,
        detail: { passkey_id: id },
      });
      return toPasskeyView(passkey);
    });
  }

  /**
   * Forgets a passkey.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED, NOT_FOUND, WRONG_STATE when there is no other way to sign in
   */
  async remove(actor: Caller, { id, device }: ById & { device: Device }): Promise<void> {
    await this.stepUp.requireFor(actor, 'passkey.remove', device);
    const { user_id: userId, session_id: sessionId } = actor;
    await this.transactions.run(async (tx) => {
      await lockFactors(tx, userId);
      await this.stepUp.requireIn(tx, actor);
      if (!(await this.passkeys.remove(tx, id, userId))) {
        throw ApplicationError.notFound('The passkey');
      }
      if (!(await this.canSignIn(tx, userId))) {
        throw new ApplicationError(
          'WRONG_STATE',
          'This passkey is the only way to sign in to the account: set a password first, or add another passkey.',
        );
      }
      const secondStep = (await this.checks.methods(tx, userId)).length > 0;
      if (!secondStep) await this.recoveryCodes.remove(tx, userId);
      await this.audit.record(tx, {
        action: 'passkey.remove',
        actorId: userId,
        sessionId,
        device,
        detail: { passkey_id: id, second_step: secondStep },
      });
      await this.outbox.add(tx, passkeyRemoved, userId, {
        user_id: userId,
        second_step: secondStep,
      });
    });
  }

  /**
   * Lets any passkey answer: the authenticator knows whose it is.
   * @throws ApplicationError RATE_LIMITED
   */
  signInOptions({ ip }: Device): Promise<PasskeyRequestOptions> {
    return this.transactions.run(async (tx) => {
      await this.networks.count(tx, sourceOf(ip), beginningLimit);
      return this.ceremonies.requestOptions(tx, { purpose: 'sign_in' }, this.clock.now());
    });
  }

  /**
   * Signs in with nothing but a passkey.
   * @throws ApplicationError INVALID_PASSKEY, RATE_LIMITED, FORBIDDEN for an account that is deactivated, or was not
   *   verified in time
   */
  async signIn(request: PasskeySignIn & { device: Device }): Promise<SignedIn> {
    const { ip } = request.device;
    const opened = await this.failures.limit(ip, failureLimit, 'INVALID_PASSKEY', () =>
      this.openFor(request),
    );
    return this.signIns.answer(opened);
  }

  private openFor({ passkey, device }: PasskeySignIn & { device: Device }): Promise<OpenedSession> {
    return committed(this.transactions, async (tx) => {
      const now = this.clock.now();
      const owner = await this.passkeys.ownerOf(tx, Buffer.from(passkey.id, 'base64url'));
      // Before the passkey is read: whoever takes the account back does the same, and removes it.
      if (owner !== undefined) await lockFactors(tx, owner);
      const verdict = await this.ceremonies.verify(tx, { purpose: 'sign_in' }, passkey, { now });
      if (verdict.refused) {
        await this.audit.record(tx, {
          action: 'passkey.check',
          outcome: 'failure',
          actorId: null,
          userId: verdict.userId ?? null,
          device,
          detail: { reason: `${verdict.refused}_passkey` },
        });
        return wrongPasskey();
      }
      const proof = { method: 'passkey', device, secondFactor: 'passkey' } as const;
      return this.signIns.completeOrRefuse(tx, { id: verdict.passkey.userId }, proof);
    });
  }

  /** Lets a signed-in user prove again, with a passkey, who they are. */
  confirmationOptions(actor: Caller): Promise<PasskeyRequestOptions> {
    const use = { purpose: 'confirmation', sessionId: actor.session_id } as const;
    return this.transactions.run((tx) =>
      this.ceremonies.requestOptions(tx, use, this.clock.now(), actor.user_id),
    );
  }

  /** Whether there is a password, a passkey, or an account at a provider. */
  private async canSignIn(tx: EntityManager, userId: number): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `SELECT FROM users WHERE id = $1
         AND (password_hash IS NOT NULL
           OR EXISTS (SELECT FROM passkeys WHERE user_id = $1)
           OR EXISTS (SELECT FROM linked_identities WHERE user_id = $1))`,
      [userId],
    );
    return rows.length > 0;
  }
}

function tooManyPasskeys(): ApplicationError {
  return new ApplicationError(
    'WRONG_STATE',
    `An account has at most ${mostPasskeys} passkeys: delete one first.`,
  );
}
