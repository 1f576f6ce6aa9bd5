import {
  type DeadLetterQuery,
  type DeadLetterView,
  type EventEnvelope,
  type Page,
  paging,
  type RetriedDeadLetters,
  type RetryDeadLetters,
  toPage,
} from '@mentorhub/contracts';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { EventHandlers } from './event-handlers.js';
import { describe } from './inbox.js';
import { runHandler } from './run-handlers.js';

const MAX_RETRIES_AT_ONCE = 500;

interface DeadLetterRow {
  handler: string;
  subject: string;
  envelope: EventEnvelope;
}

interface ListedRow extends Pick<
  DeadLetterView,
  'id' | 'event_id' | 'handler' | 'error' | 'attempts' | 'died_at' | 'retried_at'
> {
  envelope: EventEnvelope;
}

/** Events that a handler of this service could not handle, for its operators. */
@Injectable()
export class DeadLetters {
  private readonly logger = new Logger(DeadLetters.name);

  constructor(
    private readonly dataSource: DataSource,
    private readonly handlers: EventHandlers,
  ) {}

  /** One page, newest first. */
  async list(query: DeadLetterQuery): Promise<Page<DeadLetterView>> {
    const page = { page: query.page, limit: Math.min(query.limit ?? 20, 100) };
    const { limit, offset } = paging(page);
    const retried = query.retried === true;
    const rows: ListedRow[] = await this.dataSource.query(
      `SELECT id::float8 AS id, event_id, envelope, handler, error, attempts, died_at, retried_at
       FROM dead_letters WHERE $3 OR retried_at IS NULL ORDER BY id DESC LIMIT $1 OFFSET $2`,
      [limit, offset, retried],
    );
    const items = rows.map(
      ({ envelope: { type, aggregate_id, occurred_at }, ...row }): DeadLetterView => ({
        ...row,
        type,
        aggregate_id,
        occurred_at,
      }),
    );
    const [{ total } = { total: 0 }]: { total: number }[] = await this.dataSource.query(
      'SELECT count(*)::int AS total FROM dead_letters WHERE $1 OR retried_at IS NULL',
      [retried],
    );
    return toPage(items, total, page);
  }

  /** Handles parked events now, each in its own transaction, oldest first; what fails again stays parked. */
  async retry({ ids }: RetryDeadLetters): Promise<RetriedDeadLetters> {
    const waiting: { id: number }[] = await this.dataSource.query(
      `SELECT id::float8 AS id FROM dead_letters
       WHERE retried_at IS NULL AND ($1::bigint[] IS NULL OR id = ANY($1))
       ORDER BY id LIMIT $2`,
      [ids ?? null, MAX_RETRIES_AT_ONCE],
    );
    const result: RetriedDeadLetters = { retried: [], failed: [] };
    for (const { id } of waiting) {
      try {
        if (await this.retryOne(id)) result.retried.push(id);
      } catch (failure) {
        const error = describe(failure);
        this.logger.warn(`dead letter ${id} failed again: ${error}`);
        await this.dataSource.query(
          'UPDATE dead_letters SET error = $2, attempts = attempts + 1 WHERE id = $1',
          [id, error],
        );
        result.failed.push({ id, error });
      }
    }
    return result;
  }

  /** @returns false when another retry has it */
  private async retryOne(id: number): Promise<boolean> {
    return await this.dataSource.transaction(async (tx) => {
      const [letter]: DeadLetterRow[] = await tx.query(
        `SELECT handler, subject, envelope FROM dead_letters
         WHERE id = $1 AND retried_at IS NULL FOR UPDATE SKIP LOCKED`,
        [id],
      );
      if (!letter) return false;
      const handler = this.handlers.find(letter.subject, letter.handler);
      if (!handler) throw new Error(`${letter.handler} no longer handles ${letter.subject}.`);
      const event = letter.envelope;
      await runHandler([{ event, handler, traceparent: event.trace }], tx);
      await tx.query('UPDATE dead_letters SET retried_at = now() WHERE id = $1', [id]);
      return true;
    });
  }
}
