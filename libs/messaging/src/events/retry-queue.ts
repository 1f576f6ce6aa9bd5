import type { EventEnvelope } from '@mentorhub/contracts';
import type { DataSource, EntityManager } from 'typeorm';
import { eventsWaiting } from './metrics.js';

/** An event that waited for so long gets one attempt, so that a broken handler does not keep a long line for ever. */
const OVERDUE_AFTER = '1 day';

/** An event that is to be handled later, and by which handlers. */
export interface WaitingEvent {
  readonly event: EventEnvelope;
  readonly subject: string;
  readonly aggregate: string;
  readonly traceparent: string | undefined;
  /** Keys of the handlers. */
  readonly handlers: readonly string[];
}

/** An event of `inbox_retries`. */
export interface StoredEvent extends WaitingEvent {
  readonly id: string;
  readonly attempts: number;
  readonly overdue: boolean;
}

/** An event that was tried, stored or not. */
export type Attempt = Omit<StoredEvent, 'id' | 'handlers'> & Partial<Pick<StoredEvent, 'id'>>;

/** How an attempt ended. */
export interface Ending {
  readonly event: Attempt;
  /** Attempts so far, this one included. */
  readonly attempts: number;
  /** What handlers failed with, by key. */
  readonly errors: ReadonlyMap<string, string>;
  /** When to try again; undefined gives up. */
  readonly delayMs: number | undefined;
}

interface DueRow {
  id: string;
  envelope: EventEnvelope;
  subject: string;
  aggregate: string;
  traceparent: string | null;
  handlers: string[];
  attempts: number;
  overdue: boolean;
}

/*
 * The first event of each aggregate that is due and, where it has not failed, those behind it. Picks ids before it reads
 * the envelopes.
 */
const dueSql = `
  WITH due AS MATERIALIZED (
    SELECT id, aggregate, attempts, retry_at FROM inbox_retries
    WHERE retry_at <= now() ORDER BY retry_at LIMIT $1
  ), picked AS MATERIALIZED (
    SELECT due.retry_at, line.id
    FROM due CROSS JOIN LATERAL (
      SELECT id FROM inbox_retries
      WHERE aggregate = due.aggregate AND (due.attempts = 0 OR id = due.id)
      ORDER BY id LIMIT $1
    ) AS line
    ORDER BY due.retry_at, line.id LIMIT $1
  )
  SELECT id::text, envelope, subject, aggregate, traceparent, handlers, attempts,
    stored_at < now() - interval '${OVERDUE_AFTER}' AS overdue
  FROM picked JOIN inbox_retries USING (id)
  ORDER BY picked.retry_at, picked.id`;

const appendSql = `
  INSERT INTO inbox_retries
    (event_id, aggregate, subject, handlers, envelope, traceparent, attempts, error, retry_at)
  SELECT event_id, aggregate, subject, ARRAY(SELECT json_array_elements_text(handlers::json)),
    envelope::json, traceparent, $7::int, $8::text, now() + $9::float8 * interval '1 ms'
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    WITH ORDINALITY AS new (event_id, aggregate, subject, handlers, envelope, traceparent, n)
  ORDER BY n
  ON CONFLICT (event_id) DO UPDATE
    SET handlers = ARRAY(SELECT DISTINCT unnest(inbox_retries.handlers || excluded.handlers))`;

/** Makes it the turn of the first event of each aggregate. */
const promoteSql = `
  UPDATE inbox_retries SET retry_at = now()
  FROM unnest($1::text[]) AS freed (aggregate) CROSS JOIN LATERAL (
    SELECT id FROM inbox_retries WHERE inbox_retries.aggregate = freed.aggregate ORDER BY id LIMIT 1
  ) AS first
  WHERE inbox_retries.id = first.id AND retry_at IS NULL`;

const giveUpSql = `
  WITH receipts AS (
    INSERT INTO inbox (event_id, handler) SELECT $1::uuid, unnest($2::text[]) ON CONFLICT DO NOTHING
  )
  INSERT INTO dead_letters (event_id, handler, subject, envelope, error, attempts)
  SELECT $1::uuid, handler, $4::text, $5::json, error, $6::int FROM unnest($2::text[], $3::text[]) AS failed (handler, error)
  ON CONFLICT (event_id, handler) DO NOTHING`;

/**
 * Events that failed, and those behind them, in the order of their aggregate. Only the first of each aggregate has a
 * time at which it is due. Only the leader uses it, one statement after another.
 */
export class RetryQueue {
  constructor(private readonly dataSource: DataSource) {}

  /** What is to be tried now, oldest first. */
  async due(limit: number): Promise<StoredEvent[]> {
    const rows: DueRow[] = await this.dataSource.query(dueSql, [limit]);
    return rows.map(({ envelope, traceparent, ...row }) => ({
      ...row,
      event: envelope,
      traceparent: traceparent ?? undefined,
    }));
  }

  /** In how many milliseconds the next event is due; undefined when none waits. */
  async nextInMs(): Promise<number | undefined> {
    const [state]: { next_ms: number | null; oldest: Date | null }[] = await this.dataSource.query(
      `SELECT
         (SELECT extract(epoch FROM min(retry_at) - now()) * 1000 FROM inbox_retries)::float8 AS next_ms,
         (SELECT stored_at FROM inbox_retries ORDER BY id LIMIT 1) AS oldest`,
    );
    eventsWaiting.since = state?.oldest ?? undefined;
    return state?.next_ms == null ? undefined : Math.max(0, state.next_ms);
  }

  /** Puts events behind those of their aggregate. */
  async append(events: readonly WaitingEvent[], tx: EntityManager): Promise<void> {
    if (events.length > 0) await insert(events, tx);
  }

  /** Removes handled events; the next of each aggregate has its turn. */
  async remove(events: readonly StoredEvent[], tx: EntityManager): Promise<void> {
    await tx.query('DELETE FROM inbox_retries WHERE id = ANY($1::bigint[])', [
      events.map(({ id }) => id),
    ]);
    await tx.query(promoteSql, [[...new Set(events.map(({ aggregate }) => aggregate))]]);
  }

  /**
   * Records how an attempt ended: the event is removed, tried again later or given up.
   * @returns the handlers that failed indeed: one whose commit was not confirmed has its receipt nevertheless
   */
  async recordAttempt(ending: Ending, tx: EntityManager): Promise<ReadonlySet<string>> {
    const { event, attempts, errors, delayMs } = ending;
    const rows: { handler: string }[] = await tx.query(
      `SELECT handler FROM unnest($2::text[]) AS failed (handler)
       WHERE NOT EXISTS (SELECT FROM inbox WHERE event_id = $1::uuid AND inbox.handler = failed.handler)`,
      [event.event.id, [...errors.keys()]],
    );
    const handlers = rows.map(({ handler }) => handler);
    const texts = handlers.map((handler) => `${handler}: ${errors.get(handler)}`);
    if (handlers.length > 0 && delayMs !== undefined) {
      const retry = { attempts, error: texts.join('\n'), delayMs };
      if (event.id === undefined) {
        await insert([{ ...event, handlers }], tx, retry);
      } else {
        await tx.query(
          `UPDATE inbox_retries SET handlers = $2, attempts = $3, error = $4,
             retry_at = now() + $5::float8 * interval '1 ms'
           WHERE id = $1`,
          [event.id, handlers, retry.attempts, retry.error, retry.delayMs],
        );
      }
      return new Set(handlers);
    }
    if (handlers.length > 0) {
      await tx.query(giveUpSql, [
        event.event.id,
        handlers,
        handlers.map((handler) => errors.get(handler)),
        event.subject,
        JSON.stringify(event.event),
        attempts,
      ]);
    }
    if (event.id !== undefined) await this.remove([{ ...event, id: event.id, handlers }], tx);
    return new Set(handlers);
  }
}

/** With `retry`, as the first of its aggregate; else behind others. */
async function insert(
  events: readonly WaitingEvent[],
  tx: EntityManager,
  retry?: { attempts: number; error: string; delayMs: number },
): Promise<void> {
  // The same event may be in one batch twice.
  const once = [...new Map(events.map((entry) => [entry.event.id, entry])).values()];
  await tx.query(appendSql, [
    once.map(({ event }) => event.id),
    once.map(({ aggregate }) => aggregate),
    once.map(({ subject }) => subject),
    once.map(({ handlers }) => JSON.stringify(handlers)),
    once.map(({ event }) => JSON.stringify(event)),
    once.map(({ traceparent }) => traceparent ?? null),
    retry?.attempts ?? 0,
    retry?.error ?? null,
    retry?.delayMs ?? null,
  ]);
}
