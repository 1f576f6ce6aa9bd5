import type { NotificationType } from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AfterCommit } from '../after-commit.js';
import type { NotificationRequest } from '../notifications/notification-request.js';

interface DeferredRow {
  id: number;
  user_id: number;
  type: NotificationType;
  params: object;
  data: Record<string, number | string>;
  named_user_id: number | null;
}

/** How long a reader is left alone after a request to identity, whatever became of it. */
export const retryMs = 10_000;

/**
 * Notifications whose reader's language is not known here. A handler of events stores them instead of asking identity,
 * which no transaction may wait for; `ReaderResolver` sends them.
 */
@Injectable()
export class DeferredNotifications {
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly afterCommit: AfterCommit,
    private readonly clock: Clock,
  ) {}

  /** Stores them; of a chat at most one for each reader. */
  async add(
    tx: EntityManager,
    requests: readonly NotificationRequest<NotificationType>[],
  ): Promise<void> {
    if (requests.length === 0) return;
    await tx.query(
      `INSERT INTO deferred_notifications (user_id, type, params, data, named_user_id, next_attempt_at)
       SELECT user_id, type, params, data, "namedUserId", $2::timestamptz
       FROM jsonb_to_recordset($1::jsonb)
           AS requests ("userId" integer, type text, params jsonb, data jsonb, "namedUserId" integer),
         LATERAL (SELECT "userId" AS user_id) AS named
       WHERE NOT EXISTS (SELECT FROM erased_users WHERE erased_users.user_id = named.user_id)
       ON CONFLICT DO NOTHING`,
      [JSON.stringify(requests), this.clock.now()],
    );
    this.afterCommit.call(tx, this.notifyListeners);
  }

  /** Calls back after every commit that stored some in this process. Other processes find them when they poll. */
  onAdded(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Readers with notifications that are due, the longest due first; no two processes get the same within 10 s. */
  async claimReaders(limit: number): Promise<number[]> {
    const now = this.clock.now();
    const [rows] = await this.dataSource.query<[{ user_id: number }[], number]>(
      `UPDATE deferred_notifications SET next_attempt_at = $2
       WHERE next_attempt_at <= $1 AND user_id IN (
         SELECT user_id FROM deferred_notifications WHERE next_attempt_at <= $1
         GROUP BY user_id ORDER BY min(next_attempt_at), user_id LIMIT $3)
       RETURNING user_id`,
      [now, new Date(now.getTime() + retryMs), limit],
    );
    return [...new Set(rows.map(({ user_id }) => user_id))];
  }

  /** Removes those of a reader, to be sent in the same transaction, in the order in which they were stored. */
  async take(tx: EntityManager, userId: number): Promise<NotificationRequest<NotificationType>[]> {
    const [rows] = await tx.query<[DeferredRow[], number]>(
      'DELETE FROM deferred_notifications WHERE user_id = $1 RETURNING id, user_id, type, params, data, named_user_id',
      [userId],
    );
    return rows
      .toSorted((one, other) => one.id - other.id)
      .map(
        ({ user_id, type, params, data, named_user_id }) =>
          ({
            userId: user_id,
            type,
            params,
            data,
            ...(named_user_id === null ? {} : { namedUserId: named_user_id }),
          }) as NotificationRequest<NotificationType>,
      );
  }

  private readonly notifyListeners = (): void => {
    for (const listener of this.listeners) listener();
  };
}
