import {
  ApplicationError,
  sessionRevoked,
  userRegistered,
  userRoleChanged,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { migrationsLeft, Transactions, withDirectDatabase } from '@mentorhub/persistence';
import { Clock, databaseSettings, TaskProblem } from '@mentorhub/service-kit';
import type { DataSource, EntityManager } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import type { IdentityConfig } from '../config.js';
import { passwordFault } from '../passwords/password-rules.js';
import { Passwords } from '../passwords/passwords.js';
import { schema } from '../schema.js';
import { toRevoked } from '../sessions/revocation.js';
import { SessionsRepository } from '../sessions/sessions.repository.js';
import { FormerEmails } from '../users/former-emails.js';
import { User } from '../users/user.entity.js';
import { toUserSummary } from '../users/user.views.js';
import { UsersRepository } from '../users/users.repository.js';

interface Wanted {
  /** In lower case. */
  email: string;
  /** Asked for when an account has to be created. */
  password: () => Promise<string>;
  clock?: Clock;
}

interface Made {
  outcome: 'created' | 'promoted' | 'present';
  id: number;
}

const fullName = 'Administrator';

/**
 * Makes the user with an address an administrator, or creates one; outside of the running service, which need not run.
 * @throws TaskProblem
 */
export function createAdministrator(
  config: IdentityConfig,
  { email, password, clock = new Clock() }: Wanted,
): Promise<Made> {
  const settings = {
    ...schema,
    ...databaseSettings(config),
    applicationName: 'identity create-admin',
  };
  return withDirectDatabase(settings, async (dataSource) => {
    const left = await migrationsLeft(dataSource);
    if (left.length > 0) {
      throw new TaskProblem(`The database lacks ${left.join(', ')}: run migrate.js first.`);
    }
    const work = new AdministratorWork(dataSource, clock);
    if (await dataSource.manager.existsBy(User, { email })) return work.promote(email);
    const owner = { email, fullName };
    const chosen = await password();
    const fault = await passwordFault(chosen, owner);
    if (fault !== undefined) throw new TaskProblem(fault);
    return work.create(email, await new Passwords(config).hash(chosen, owner));
  });
}

class AdministratorWork {
  private readonly outbox = new Outbox();
  private readonly audit: AuditTrail;
  private readonly transactions: Transactions;

  constructor(
    private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {
    this.audit = new AuditTrail(dataSource, clock);
    this.transactions = new Transactions(dataSource);
  }

  async create(email: string, passwordHash: string): Promise<Made> {
    const users = new UsersRepository(this.dataSource, new FormerEmails());
    const now = this.clock.now();
    try {
      return await this.transactions.run(async (tx) => {
        const user = await users.insert(tx, {
          email,
          fullName,
          passwordHash,
          requestedRole: 'student',
          isAdmin: true,
          timezone: 'UTC',
          locale: 'en',
          emailVerifiedAt: now,
          createdAt: now,
        });
        const { requestedRole: role, locale, timezone } = user;
        const fact = { ...toUserSummary(user), role, locale, timezone };
        await this.outbox.add(tx, userRegistered, user.id, fact);
        await this.record(tx, user.id);
        return { outcome: 'created', id: user.id };
      });
    } catch (error) {
      if (error instanceof ApplicationError) throw new TaskProblem(error.message);
      throw error;
    }
  }

  promote(email: string): Promise<Made> {
    return this.transactions.run(async (tx) => {
      const user = await tx.findOneOrFail(User, {
        where: { email },
        lock: { mode: 'pessimistic_write' },
      });
      if (!user.isActive) {
        throw new TaskProblem(`User ${user.id} is deactivated: reactivate the account first.`);
      }
      if (!user.emailVerifiedAt) {
        // Anybody may have registered the address.
        throw new TaskProblem(
          `The address of user ${user.id} is not verified: its owner has to open the link in the mail first.`,
        );
      }
      if (user.isAdmin) return { outcome: 'present', id: user.id };
      await tx.update(User, { id: user.id }, { isAdmin: true });
      await this.outbox.add(tx, userRoleChanged, user.id, { user_id: user.id, role: 'admin' });
      await this.record(tx, user.id);
      await this.endSessions(tx, user.id);
      return { outcome: 'promoted', id: user.id };
    });
  }

  private record(tx: EntityManager, userId: number): Promise<void> {
    const detail = { role: 'admin', by: 'command' };
    return this.audit.record(tx, { action: 'user.role', actorId: null, userId, detail });
  }

  /** Gateways find them in the list that they fetch every minute. */
  private async endSessions(tx: EntityManager, userId: number): Promise<void> {
    const sessions = new SessionsRepository(this.dataSource);
    const ended = await sessions.end(tx, { userIds: [userId] }, this.clock.now());
    await this.outbox.addMany(
      tx,
      ended.map((session) => ({
        event: sessionRevoked,
        aggregateId: session.id,
        data: { ...toRevoked(session), user_id: userId },
      })),
    );
  }
}
