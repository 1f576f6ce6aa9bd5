import { randomBytes, randomUUID } from 'node:crypto';
import { ApplicationError, type Caller, type Device, userErased } from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { lockAdministrators } from '../administration/lock-administrators.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { StepUp } from '../auth/step-up.js';
import { AvatarFiles } from '../avatars/avatar-files.js';
import { hashOf } from '../secrets/secret-token.js';
import { Revocation } from '../sessions/revocation.js';
import type { EndedSession } from '../sessions/sessions.repository.js';
import type { User } from '../users/user.entity.js';
import { UsersRepository } from '../users/users.repository.js';

/** Who is erased, by whom. */
interface Erasing {
  userId: number;
  /** Null for an operator. */
  actorId: number | null;
  sessionId?: number;
  /** Whether the user may be an administrator, of whom one has to stay. */
  isAdministrator: boolean;
}

/** What is left to do once an erasure has committed. */
interface Aftermath {
  ended: EndedSession[];
  /** Keys of pictures. */
  files: string[];
}

/**
 * Erases accounts. The row of the user stays, with nothing of the person in it: ids of other services lead to it, and
 * tell that this user is gone. What else identity knows of the user is deleted.
 */
@Injectable()
export class ErasureService {
  private readonly logger = new Logger(ErasureService.name);

  constructor(
    private readonly stepUp: StepUp,
    private readonly users: UsersRepository,
    private readonly files: AvatarFiles,
    private readonly revocation: Revocation,
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly audit: AuditTrail,
    private readonly clock: Clock,
  ) {}

  /**
   * Erases the actor's account: here in one transaction, elsewhere by the event. Its tokens stop working at once, and the
   * address may be registered again.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED; LAST_ADMINISTRATOR
   */
  async erase(actor: Caller, device: Device): Promise<void> {
    await this.finish(actor.user_id, await this.tryToErase(actor, device));
  }

  /**
   * Erases an account without its user.
   * @throws ApplicationError NOT_FOUND for the unknown and the erased; LAST_ADMINISTRATOR
   */
  async eraseByOperator(userId: number): Promise<void> {
    const done = await this.transactions.run((tx) =>
      this.eraseIn(tx, { userId, actorId: null, isAdministrator: true }),
    );
    await this.finish(userId, done);
  }

  private async finish(userId: number, { ended, files }: Aftermath): Promise<void> {
    this.revocation.announce(ended);
    await this.files.discard(files);
    // For operators who restore a backup from before: docs/operations.md.
    this.logger.log('A user has been erased.', { user_id: userId });
  }

  private async tryToErase(actor: Caller, device: Device): Promise<Aftermath> {
    try {
      await this.stepUp.require(actor);
      return await this.transactions.run((tx) =>
        this.eraseIn(tx, {
          userId: actor.user_id,
          actorId: actor.user_id,
          sessionId: actor.session_id,
          isAdministrator: actor.roles.includes('admin'),
        }),
      );
    } catch (error) {
      if (error instanceof ApplicationError) {
        await this.audit.note({
          action: 'user.erase',
          outcome: 'failure',
          actorId: actor.user_id,
          sessionId: actor.session_id,
          device,
          detail: { reason: error.code },
        });
      }
      throw error;
    }
  }

  private async eraseIn(
    tx: EntityManager,
    { userId, actorId, sessionId, isAdministrator }: Erasing,
  ): Promise<Aftermath> {
    // Without the role there are none to look at; with a role that the token lacks it is refused.
    const administrators = isAdministrator ? await lockAdministrators(tx) : [];
    // Against what is stored with a reference to the user at the same time, too.
    const user = await this.users.lock(tx, userId, 'pessimistic_write');
    if (sessionId !== undefined) {
      await this.stepUp.requireIn(tx, { user_id: userId, session_id: sessionId });
    }
    if (user.isAdmin && !administrators.some((id) => id !== user.id)) throw lastAdministrator();
    const ended = await this.revocation.endIn(tx, { userIds: [user.id] });
    const files = await this.files.assign(tx, user.id, null);
    await deleteBelongings(tx, user.id);
    await forgetAddress(tx, user);
    await forgetDevices(tx, user.id);
    await this.anonymise(tx, user);
    // Without the device: the trail keeps who did it, and when.
    await this.audit.record(tx, {
      action: 'user.erase',
      actorId,
      userId,
      sessionId,
    });
    await this.outbox.add(tx, userErased, user.id, { user_id: user.id });
    return { ended, files };
  }

  private async anonymise(tx: EntityManager, { id }: User): Promise<void> {
    // Random, so that nobody can be in the way of an erasure by taking the name or the address before.
    const username = `deleted-${randomBytes(8).toString('hex')}`;
    const email = `${randomUUID()}@erased.invalid`;
    await tx.query(
      `UPDATE users SET erased_at = $2, email = $3, username = $4, full_name = '', password_hash = NULL,
         is_admin = false, is_mentor = false, is_premium = false, is_active = false, bio = NULL, phone = NULL, avatar_url = NULL,
         timezone = 'UTC', locale = 'en', email_verified_at = NULL, verify_by = NULL
       WHERE id = $1`,
      [id, this.clock.now(), email, username],
    );
  }
}

/** Deletes the rows that would go with the user's row, or with those of the sessions, which both stay. */
async function deleteBelongings(tx: EntityManager, userId: number): Promise<void> {
  const references = await tx.query<{ table: string; column: string; of: 'users' | 'sessions' }[]>(
    `SELECT key.conrelid::regclass::text AS "table", quote_ident(attname) AS "column", key.confrelid::regclass::text AS "of"
     FROM pg_constraint AS key
     JOIN pg_attribute ON attrelid = key.conrelid AND attnum = key.conkey[1]
     WHERE key.contype = 'f' AND key.confdeltype = 'c' AND cardinality(key.conkey) = 1
       AND key.confrelid IN ('users'::regclass, 'sessions'::regclass) AND key.conrelid <> 'sessions'::regclass
     ORDER BY 1, 2`,
  );
  for (const { table, column, of } of references) {
    const owned = of === 'users' ? '= $1' : 'IN (SELECT id FROM sessions WHERE user_id = $1)';
    await tx.query(`DELETE FROM ${table} WHERE ${column} ${owned}`, [userId]);
  }
}

/** Deletes what is known of an address beside accounts. */
async function forgetAddress(tx: EntityManager, { email, emailVerifiedAt }: User): Promise<void> {
  const address = hashOf(email);
  await tx.query('DELETE FROM mail_pauses WHERE email_hash = $1', [address]);
  await tx.query('DELETE FROM mailed_codes WHERE email = $1', [email]);
  await tx.query('DELETE FROM verification_requests WHERE email_hash = $1', [address]);
  await tx.query('DELETE FROM sign_in_failures WHERE account_hash = $1', [address]);
  // Anybody can register with an address of somebody else; the member is whom the mailbox belongs to.
  if (!emailVerifiedAt) return;
  await tx.query('DELETE FROM members WHERE email = $1', [email]);
  await tx.query('DELETE FROM member_import_lines WHERE email = $1', [email]);
}

/**
 * Takes out from where the user came. Sessions stay until their last access token expires, for gateways that have yet to
 * learn of their end; entries of the audit trail stay as long as all others.
 */
async function forgetDevices(tx: EntityManager, userId: number): Promise<void> {
  await tx.query(`UPDATE sessions SET ip = '', user_agent = '' WHERE user_id = $1`, [userId]);
  await tx.query(
    `UPDATE audit_log SET ip = NULL, user_agent = NULL
     WHERE (actor_id = $1 OR (user_id = $1 AND actor_id IS NULL)) AND (ip IS NOT NULL OR user_agent IS NOT NULL)`,
    [userId],
  );
}

function lastAdministrator(): ApplicationError {
  return new ApplicationError(
    'LAST_ADMINISTRATOR',
    'This is the last administrator: make somebody else one first.',
  );
}
