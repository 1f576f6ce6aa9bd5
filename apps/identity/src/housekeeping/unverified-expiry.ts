import { userExpired } from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Periodic, Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Revocation } from '../sessions/revocation.js';
import type { EndedSession } from '../sessions/sessions.repository.js';

const intervalMs = 10 * 60_000;
const batchSize = 100;

interface DueRow {
  id: number;
  /** Has an access token that gateways would still accept. */
  signed_in: boolean;
}

/**
 * Deletes accounts whose address was not verified in time, so that the address and the username are free again. One
 * replica at a time, in short transactions. A signed-in account is signed out first, and deleted once its last access
 * token has expired: until then the gateways learn from its sessions that they have ended.
 */
@Injectable()
export class UnverifiedExpiry implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(UnverifiedExpiry.name);
  private readonly periodic = new Periodic({
    name: UnverifiedExpiry.name,
    everyMs: intervalMs,
    turn: () => this.sweep(),
    failure: 'Accounts that were not verified could not be deleted',
  });

  constructor(
    private readonly transactions: Transactions,
    private readonly revocation: Revocation,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.periodic.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.periodic.stop();
  }

  /** One round: batch after batch, until nothing is due. */
  async sweep(): Promise<void> {
    for (;;) {
      const { taken, ended } = await this.transactions.run((tx) => this.expireBatch(tx));
      this.revocation.announce(ended);
      if (taken < batchSize) return;
    }
  }

  private async expireBatch(
    tx: EntityManager,
  ): Promise<{ taken: number; ended: readonly EndedSession[] }> {
    const [lock] = await tx.query<{ acquired: boolean }[]>(
      `SELECT pg_try_advisory_xact_lock(hashtextextended('mentorhub:unverified-expiry', 0)) AS acquired`,
    );
    if (!lock?.acquired) return { taken: 0, ended: [] };
    const due = await tx.query<DueRow[]>(
      `SELECT id, EXISTS (
         SELECT FROM sessions WHERE user_id = users.id AND access_expires_at > $1
       ) AS signed_in
       FROM users
       WHERE email_verified_at IS NULL AND verify_by <= $1
         AND NOT EXISTS (
           SELECT FROM sessions
           WHERE user_id = users.id AND revoked_at IS NOT NULL AND access_expires_at > $1
         )
       ORDER BY verify_by LIMIT $2 FOR UPDATE OF users SKIP LOCKED`,
      [this.clock.now(), batchSize],
    );
    const [signedIn, signedOut] = [true, false].map((state) =>
      due.filter(({ signed_in }) => signed_in === state).map(({ id }) => id),
    ) as [number[], number[]];
    const ended = await this.revocation.endIn(tx, { userIds: signedIn });
    await tx.query('DELETE FROM users WHERE id = ANY ($1::int[])', [signedOut]);
    await this.outbox.addMany(
      tx,
      signedOut.map((id) => ({ event: userExpired, aggregateId: id, data: { user_id: id } })),
    );
    if (signedOut.length > 0) {
      this.logger.log(`${signedOut.length} accounts were deleted: not verified in time.`);
    }
    return { taken: due.length, ended };
  }
}
