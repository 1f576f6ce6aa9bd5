import {
  ApplicationError,
  type Caller,
  type CodeRequested,
  type Device,
  type MintedMail,
} from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AccountMailRegistry } from '../account-mails/account-mail-registry.js';
import { AccountMails } from '../account-mails/account-mails.js';
import { MailPauses } from '../account-mails/mail-pauses.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { FactorChecks } from '../second-factor/factor-checks.js';
import { UsersRepository } from '../users/users.repository.js';
import { toContact } from '../users/user.views.js';
import { type CodeOf, codeSeconds, MailedCodes, type RightCode } from './mailed-codes.js';

/** Codes by mail for accounts that have nothing else to prove themselves by: no password and no second factor. */
@Injectable()
export class ReauthenticationCodes implements OnModuleInit {
  constructor(
    private readonly codes: MailedCodes,
    private readonly users: UsersRepository,
    private readonly factors: FactorChecks,
    private readonly mails: AccountMails,
    private readonly registry: AccountMailRegistry,
    private readonly pauses: MailPauses,
    private readonly audit: AuditTrail,
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.registry.add('reauthentication_code', ({ user_id, ref }) => this.mint(user_id, ref));
  }

  /**
   * Sends a code to the address of the actor's account, which counts for this session alone.
   * @throws ApplicationError WRONG_STATE for accounts that have a password or a second factor
   */
  async send(actor: Caller, device: Device): Promise<CodeRequested> {
    const { user_id: userId, session_id: sessionId } = actor;
    const now = this.clock.now();
    const { email, locale } = await this.users.byId(userId);
    await this.transactions.run(async (tx) => {
      if (!(await this.isOnlyWay(userId, tx))) throw otherWays();
      if (!(await this.pauses.admit(tx, 'reauthentication_code', email, now))) return;
      const ref = await this.codes.begin(tx, codeOf(actor), { email, locale }, now);
      await this.mails.request(tx, userId, 'reauthentication_code', ref);
      await this.audit.record(tx, {
        action: 'reauthentication.email_request',
        actorId: userId,
        sessionId,
        device,
      });
    });
    return { detail: 'A mail with a code is on its way.', expires_in: codeSeconds };
  }

  /** Whether an account is one of those that are proven by mail. */
  async isOnlyWay(userId: number, manager: EntityManager = this.dataSource.manager) {
    const [user] = await manager.query<{ has_password: boolean }[]>(
      `SELECT password_hash IS NOT NULL AS has_password FROM users WHERE id = $1`,
      [userId],
    );
    if (!user || user.has_password) return false;
    return (await this.factors.methods(manager, userId)).length === 0;
  }

  /** Tries a code; each has five tries. */
  check(actor: Caller, code: string): Promise<RightCode | undefined> {
    return this.codes.check(codeOf(actor), code, this.clock.now());
  }

  /** Whether this was the use of the code. */
  async redeem(tx: EntityManager, right: RightCode): Promise<boolean> {
    return (await this.codes.redeem(tx, right)) !== undefined;
  }

  /** @throws ApplicationError NOT_FOUND */
  private async mint(userId: number, ref: number | null): Promise<MintedMail> {
    const user = await this.users.activeById(userId);
    const minted =
      ref === null ? undefined : await this.codes.mint('reauthenticate', ref, this.clock.now());
    // The address may have changed since.
    if (minted?.email !== user.email) throw ApplicationError.notFound('The code');
    return { ...toContact(user), code: minted.code };
  }
}

/** By the session, whose token comes with every request. */
function codeOf({ session_id: sessionId }: Caller): CodeOf {
  const session = `session ${sessionId}`;
  return { purpose: 'reauthenticate', subject: session, holder: session };
}

function otherWays(): ApplicationError {
  return new ApplicationError(
    'WRONG_STATE',
    'The account has a password or a second factor: send that to POST /api/v1/auth/reauthenticate.',
  );
}
