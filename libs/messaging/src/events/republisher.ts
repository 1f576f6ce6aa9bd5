import {
  ApplicationError,
  type RepublishedEvents,
  type RepublishEvents,
} from '@mentorhub/contracts';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { requestContext } from '../request-context.js';

/** Rows that one statement looks at: a statement for all of them would end with `statement_timeout`. */
const BATCH_SIZE = 1000;

const republishSql = `
  WITH batch AS MATERIALIZED (
    SELECT id, type, occurred_at, published_at IS NOT NULL OR parked_at IS NOT NULL AS done
    FROM outbox WHERE id > $1::bigint AND id <= $2::bigint ORDER BY id LIMIT ${BATCH_SIZE}
  ), again AS (
    UPDATE outbox SET published_at = NULL, parked_at = NULL, parked_because = NULL FROM batch
    WHERE outbox.id = batch.id AND batch.done
      AND batch.occurred_at >= $3 AND batch.occurred_at < $4
      AND ($5::text[] IS NULL OR batch.type = ANY($5))
    RETURNING 1
  )
  SELECT (SELECT max(id)::text FROM batch) AS last_id, (SELECT count(*)::int FROM again) AS events`;

/** Puts events in line once more that were published, or parked. Handlers repeat nothing they have done. */
@Injectable()
export class Republisher {
  private readonly logger = new Logger(Republisher.name);

  constructor(private readonly dataSource: DataSource) {}

  /**
   * Publishes the events of `[from, to)` again, in their order; they stay for 7 days, parked ones until they are
   * published. The broker itself drops an event that it stored within the last two minutes.
   *
   * Goes through the outbox in batches, each a transaction of its own, and stops between two of them when the deadline of
   * the request passes: what is queued by then is published, and the log says how much that is.
   * @throws ApplicationError VALIDATION_FAILED when a time is not an instant
   */
  async republish({ from, to, types }: RepublishEvents): Promise<RepublishedEvents> {
    const range = [instant('from', from), instant('to', to), types ?? null];
    const signal = requestContext.current()?.signal;
    // Events that are added meanwhile are published anyway.
    const [{ end }]: [{ end: string | null }] = await this.dataSource.query(
      'SELECT max(id)::text AS end FROM outbox',
    );
    let events = 0;
    let after: string | null = end === null ? null : '0';
    while (after !== null) {
      if (signal?.aborted) {
        this.logger.warn(
          `republishing from ${from} to ${to} took longer than its request waits: ${events} events up to outbox id ${after} are queued, so ask again for a shorter time`,
        );
        signal.throwIfAborted();
      }
      const [batch]: [{ last_id: string | null; events: number }] = await this.dataSource.query(
        republishSql,
        [after, end, ...range],
      );
      events += batch.events;
      after = batch.last_id;
    }
    return { events };
  }
}

function instant(field: string, text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) {
    throw ApplicationError.invalid(
      field,
      `${field} must be an instant such as 2026-11-25T15:00:00Z.`,
    );
  }
  return time;
}
