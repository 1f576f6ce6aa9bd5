import { type OnlineUsers, type PresenceFrame, userFrame } from '@mentorhub/contracts';
import { Signals } from '@mentorhub/messaging';
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

/** What a gateway tells about its sockets. */
export interface PresenceReport {
  gateway_id: string;
  reset?: boolean;
  came: number[];
  went: number[];
}

export interface Renewal {
  lease_seconds: number;
  unknown_gateway?: true;
}

interface Change {
  userId: number;
  status: PresenceFrame['status'];
  /** Those who share a chat with the user; also who seems offline, for a socket may be open that is not reported yet. */
  audience: number[];
}

const listed = 500;

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

  /** Takes note of who came to a gateway and who went, and renews its lease. */
  async report({
    gateway_id: gatewayId,
    reset = false,
    came,
    went,
  }: PresenceReport): Promise<Renewal> {
    const { GATEWAY_LEASE_SECONDS: leaseSeconds } = this.config;
    let known = true;
    if (!reset && came.length === 0 && went.length === 0) {
      known = await this.renew(this.dataSource.manager, gatewayId);
    } else {
      const changes = await this.transactions.run((tx) =>
        this.change(
          tx,
          async () => {
            known = reset ? await this.takeLease(tx, gatewayId) : await this.renew(tx, gatewayId);
            if (!known) return [];
            const gone = await usersOf(tx, [gatewayId]);
            const leaving = reset ? gone.filter((userId) => !came.includes(userId)) : went;
            return [...came, ...leaving];
          },
          async () => {
            if (!known) return;
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
      this.tell(changes);
    }
    return { lease_seconds: leaseSeconds, ...(known ? {} : { unknown_gateway: true }) };
  }

  /** Who is online, the newest first; at most 500 are listed. */
  async online(): Promise<OnlineUsers> {
    const rows = await this.dataSource.query<{ user_id: number; since: Date; total: number }[]>(
      `SELECT user_id, min(since) AS since, count(*) OVER () AS total
       FROM gateway_users GROUP BY user_id ORDER BY since DESC, user_id LIMIT ${listed}`,
    );
    const people = await this.people.ensure(rows.map((row) => row.user_id));
    return {
      users: rows.map(({ user_id: id, since }) => ({
        id,
        username: people.get(id)?.username ?? '',
        full_name: people.get(id)?.full_name ?? '',
        since: since.toISOString(),
      })),
      total: rows[0]?.total ?? 0,
    };
  }

  /** Forgets gateways whose lease has run out. */
  async expire(): Promise<void> {
    const [overdue] = await this.dataSource.query<{ exists: boolean }[]>(
      'SELECT EXISTS (SELECT FROM gateway_leases WHERE expires_at < $1) AS exists',
      [this.clock.now()],
    );
    if (!overdue?.exists) return;
    const changes = await this.transactions.run((tx) =>
      this.change(
        tx,
        async () => {
          const gateways = await tx.query<{ gateway_id: string }[]>(
            'SELECT gateway_id FROM gateway_leases WHERE expires_at < $1 FOR UPDATE',
            [this.clock.now()],
          );
          return usersOf(
            tx,
            gateways.map((row) => row.gateway_id),
          );
        },
        async () => {
          await tx.query('DELETE FROM gateway_leases WHERE expires_at < $1', [this.clock.now()]);
        },
      ),
    );
    this.tell(changes);
  }

  private leaseEnd(): Date {
    return new Date(this.clock.now().getTime() + this.config.GATEWAY_LEASE_SECONDS * 1000);
  }

  private async takeLease(tx: EntityManager, gatewayId: string): Promise<true> {
    await tx.query(
      `INSERT INTO gateway_leases (gateway_id, expires_at) VALUES ($1, $2)
       ON CONFLICT (gateway_id) DO UPDATE SET expires_at = excluded.expires_at`,
      [gatewayId, this.leaseEnd()],
    );
    return true;
  }

  /** Resolves to whether the gateway has a lease. */
  private async renew(tx: EntityManager, gatewayId: string): Promise<boolean> {
    const [, renewed] = await tx.query<[unknown[], number]>(
      'UPDATE gateway_leases SET expires_at = $2 WHERE gateway_id = $1',
      [gatewayId, this.leaseEnd()],
    );
    return renewed > 0;
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
    const audiences = await tx.query<{ user_id: number; audience: number[] }[]>(
      `SELECT mine.user_id, array_agg(DISTINCT others.user_id) AS audience
       FROM participants AS mine
       JOIN participants AS others ON others.chat_id = mine.chat_id AND others.user_id <> mine.user_id
       WHERE mine.user_id = ANY ($1::int[])
       GROUP BY mine.user_id`,
      [changes.map(({ userId }) => userId)],
    );
    const audienceOf = new Map(audiences.map((row) => [row.user_id, row.audience]));
    return changes.map((change) => ({ ...change, audience: audienceOf.get(change.userId) ?? [] }));
  }

  private tell(changes: readonly Change[]): void {
    const at = this.clock.now().toISOString();
    for (const { userId, status, audience } of changes) {
      const frame: PresenceFrame = { type: 'presence', user_id: userId, status, at };
      for (const other of audience) this.signals.publish(userFrame, { frame }, other);
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
