import { setImmediate as turn } from 'node:timers/promises';
import {
  type Caller,
  type OnlineUsers,
  type PresenceFrame,
  type PresenceLease,
  type PresenceReport,
  shownName,
  userFrame,
} from '@mentorhub/contracts';
import { requestContext, Signals } from '@mentorhub/messaging';
import { People } from '@mentorhub/people';
import { Periodic, Transactions } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { ChatConfig } from '../config.js';

/** Why a report is refused: the gateway has no lease, or a newer report was stored. */
type Refusal = 'unknown' | 'late';

interface Change {
  userId: number;
  status: PresenceFrame['status'];
  /** When the change was made: later than every change before it, whichever replica made that and publishes it when. */
  at: Date;
  /** Those who share a chat with the user; also who seems offline, for a socket may be open that is not reported yet. */
  audience: number[];
}

const listed = 500;
const signalsPerTurn = 500;

/**
 * Who is online: users with a socket on at least one gateway whose lease has not run out. A gateway that dies stops
 * renewing, and any replica of this service notices.
 */
@Injectable()
export class PresenceService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly periodic: Periodic;

  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly people: People,
    private readonly signals: Signals,
    private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: ChatConfig,
  ) {
    this.periodic = new Periodic({
      name: PresenceService.name,
      everyMs: (config.GATEWAY_LEASE_SECONDS * 1000) / 6,
      turn: () => this.expire(),
      failure: 'Leases could not be checked',
    });
  }

  onApplicationBootstrap(): void {
    this.periodic.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.periodic.stop();
  }

  /** Stores which users connected to a gateway and which left it, and renews its lease. */
  async report(report: PresenceReport): Promise<PresenceLease> {
    const { reset = false, came, went } = report;
    const renewal = !reset && came.length === 0 && went.length === 0;
    const refusal = renewal
      ? await this.renew(this.dataSource.manager, report)
      : await this.take(report);
    return {
      lease_seconds: this.config.GATEWAY_LEASE_SECONDS,
      ...(refusal === 'unknown' ? { unknown_gateway: true } : {}),
    };
  }

  private async take(report: PresenceReport): Promise<Refusal | undefined> {
    const { gateway_id: gatewayId, reset = false, came, went } = report;
    let refusal: Refusal | undefined;
    const changes = await this.transactions.run((tx) =>
      this.change(
        tx,
        async () => {
          refusal = reset ? await this.takeLease(tx, report) : await this.renew(tx, report);
          if (refusal) return [];
          if (!reset) return [...came, ...went];
          return [...came, ...(await usersOf(tx, [gatewayId]))];
        },
        async () => {
          if (refusal) return;
          await tx.query(
            `DELETE FROM gateway_users
             WHERE gateway_id = $1 AND (user_id = ANY ($2::int[]) OR ($3 AND user_id <> ALL ($4::int[])))`,
            [gatewayId, went, reset, came],
          );
          await tx.query(
            `INSERT INTO gateway_users (user_id, gateway_id, since)
             SELECT user_id, $1, $3 FROM unnest($2::int[]) AS users (user_id) ON CONFLICT DO NOTHING`,
            [gatewayId, came, this.clock.now()],
          );
        },
      ),
    );
    await this.publish(changes);
    return refusal;
  }

  /** Who is online of those the user shares a chat with, the newest first; at most 500 are listed. */
  async online({ user_id: userId }: Caller): Promise<OnlineUsers> {
    const rows = await this.dataSource.query<{ user_id: number; since: Date; total: number }[]>(
      `SELECT others.user_id, min(since) AS since, count(*) OVER () AS total
       FROM participants AS mine
       JOIN participants AS others ON others.chat_id = mine.chat_id AND others.user_id <> mine.user_id
       JOIN gateway_users ON gateway_users.user_id = others.user_id
       JOIN gateway_leases USING (gateway_id)
       WHERE mine.user_id = $1 AND gateway_leases.expires_at >= $2
       GROUP BY others.user_id ORDER BY since DESC, others.user_id LIMIT ${listed}`,
      [userId, this.clock.now()],
    );
    const people = await this.people.ensure(rows.map((row) => row.user_id));
    return {
      users: rows.map(({ user_id: id, since }) => ({
        id,
        username: people.get(id)?.username ?? '',
        full_name: shownName(people.get(id)?.full_name, requestContext.current()?.locale),
        since: since.toISOString(),
      })),
      total: rows[0]?.total ?? 0,
    };
  }

  /** Removes gateways whose lease has run out. */
  async expire(): Promise<void> {
    const [overdue] = await this.dataSource.query<{ exists: boolean }[]>(
      'SELECT EXISTS (SELECT FROM gateway_leases WHERE expires_at < $1) AS exists',
      [this.clock.now()],
    );
    if (!overdue?.exists) return;
    let gatewayIds: string[] = [];
    const changes = await this.transactions.run((tx) =>
      this.change(
        tx,
        async () => {
          const gateways = await tx.query<{ gateway_id: string }[]>(
            'SELECT gateway_id FROM gateway_leases WHERE expires_at < $1 FOR UPDATE',
            [this.clock.now()],
          );
          gatewayIds = gateways.map((row) => row.gateway_id);
          return usersOf(tx, gatewayIds);
        },
        async () => {
          // Only those read above: users of a gateway that expires just now must still be reported as offline.
          await tx.query('DELETE FROM gateway_leases WHERE gateway_id = ANY ($1)', [gatewayIds]);
        },
      ),
    );
    await this.publish(changes);
  }

  private leaseEnd(): Date {
    return new Date(this.clock.now().getTime() + this.config.GATEWAY_LEASE_SECONDS * 1000);
  }

  private async takeLease(
    tx: EntityManager,
    { gateway_id: gatewayId, number }: PresenceReport,
  ): Promise<Refusal | undefined> {
    const taken = await tx.query<unknown[]>(
      `INSERT INTO gateway_leases (gateway_id, expires_at, last_report) VALUES ($1, $2, coalesce($3::bigint, 0))
       ON CONFLICT (gateway_id) DO UPDATE SET expires_at = excluded.expires_at, last_report = excluded.last_report
       WHERE $3::bigint IS NULL OR gateway_leases.last_report < excluded.last_report
       RETURNING gateway_id`,
      [gatewayId, this.leaseEnd(), number],
    );
    return taken.length > 0 ? undefined : 'late';
  }

  private async renew(
    tx: EntityManager,
    { gateway_id: gatewayId, number }: PresenceReport,
  ): Promise<Refusal | undefined> {
    const [, renewed] = await tx.query<[unknown[], number]>(
      `UPDATE gateway_leases SET expires_at = $2, last_report = coalesce($3::bigint, 0)
       WHERE gateway_id = $1 AND ($3::bigint IS NULL OR last_report < $3)`,
      [gatewayId, this.leaseEnd(), number],
    );
    if (renewed > 0) return undefined;
    const [lease] = await tx.query<unknown[]>('SELECT FROM gateway_leases WHERE gateway_id = $1', [
      gatewayId,
    ]);
    return lease ? 'late' : 'unknown';
  }

  /**
   * Runs a change of `gateway_users` and finds out who came online or went offline by it.
   * @param affected users whose rows may change
   */
  private async change(
    tx: EntityManager,
    affected: () => Promise<number[]>,
    work: () => Promise<void>,
  ): Promise<Change[]> {
    // One change at a time, so that of a user who moves between gateways both moves are seen. Locked first of all.
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('mentorhub:presence', 0))`);
    const users = await affected();
    const before = await onlineAmong(tx, users);
    await work();
    const after = await onlineAmong(tx, users);
    const changes: Pick<Change, 'userId' | 'status'>[] = [];
    for (const userId of after) {
      if (!before.has(userId)) changes.push({ userId, status: 'online' });
    }
    for (const userId of before) {
      if (!after.has(userId)) changes.push({ userId, status: 'offline' });
    }
    if (changes.length === 0) return [];
    const audiences = await tx.query<{ user_id: number; audience: number[]; at: Date }[]>(
      `SELECT mine.user_id, array_agg(DISTINCT others.user_id) AS audience, clock_timestamp() AS at
       FROM participants AS mine
       JOIN participants AS others ON others.chat_id = mine.chat_id AND others.user_id <> mine.user_id
       WHERE mine.user_id = ANY ($1::int[])
       GROUP BY mine.user_id`,
      [changes.map(({ userId }) => userId)],
    );
    const audienceOf = new Map(audiences.map((row) => [row.user_id, row]));
    return changes.flatMap((change) => {
      const known = audienceOf.get(change.userId);
      return known ? { ...change, audience: known.audience, at: known.at } : [];
    });
  }

  /** Publishes the changes to their audiences: some at a time, for a gateway that dies takes thousands offline. */
  private async publish(changes: readonly Change[]): Promise<void> {
    let published = 0;
    for (const { userId, status, at, audience } of changes) {
      const frame: PresenceFrame = {
        type: 'presence',
        user_id: userId,
        status,
        at: at.toISOString(),
      };
      for (const other of audience) {
        this.signals.publish(userFrame, { frame }, other);
        if (++published % signalsPerTurn === 0) await turn();
      }
    }
  }
}

async function usersOf(tx: EntityManager, gatewayIds: readonly string[]): Promise<number[]> {
  const rows = await tx.query<{ user_id: number }[]>(
    'SELECT DISTINCT user_id FROM gateway_users WHERE gateway_id = ANY ($1)',
    [gatewayIds],
  );
  return rows.map((row) => row.user_id);
}

async function onlineAmong(tx: EntityManager, userIds: readonly number[]): Promise<Set<number>> {
  const rows = await tx.query<{ user_id: number }[]>(
    'SELECT DISTINCT user_id FROM gateway_users WHERE user_id = ANY ($1::int[])',
    [userIds],
  );
  return new Set(rows.map((row) => row.user_id));
}
