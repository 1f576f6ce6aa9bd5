import type { EventEnvelope } from '@mentorhub/contracts';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { ServiceMessagingOptions } from '../messaging.options.js';
import { eventsDead, eventsHandled, eventsLag, eventsRetried } from '../metrics.js';
import { requestContext } from '../request-context.js';
import { SERVICE_MESSAGING_OPTIONS } from '../tokens.js';
import { SpanKind, startSpan } from '../tracing.js';
import type { EventHandler } from './event-handlers.js';

const DEFAULT_RETRY_DELAYS_MS = [1000, 5000, 30_000, 120_000, 600_000];
/** An event of the same aggregate waits for a failed one; not for one that is long overdue and may never come. */
const HOLD_OVERDUE = '5 minutes';
const MAX_ERROR_LENGTH = 2000;
/** How long after the event it waits for an event is delivered again. */
const HOLD_MS = 50;

/** One event for one handler. */
export interface Delivery {
  readonly event: EventEnvelope;
  readonly handler: EventHandler;
  /** Position in the stream. */
  readonly sequence: number;
  readonly traceparent: string | undefined;
}

/** `done`: handled now, earlier, or parked. `later`: deliver again after `delayMs`. */
export type Outcome = { readonly status: 'done' } | { readonly status: 'later'; delayMs: number };

const DONE: Outcome = { status: 'done' };

/*
 * One round trip for a whole batch: takes a receipt for every delivery that has none yet, leaves out and notes those
 * that must wait for an earlier event of their aggregate, and clears the notes of those taken. A receipt lasts only if
 * the transaction commits. The receipt of a concurrent transaction is waited for.
 */
const claimSql = `
  WITH wanted AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])
      WITH ORDINALITY AS wanted (event_id, handler, aggregate, sequence, n)
  ), held AS (
    SELECT wanted.n,
      greatest(max(earlier.retry_at), now()) + interval '${HOLD_MS} ms' AS until
    FROM wanted JOIN inbox_retries AS earlier USING (handler, aggregate)
    WHERE earlier.sequence < wanted.sequence AND earlier.event_id <> wanted.event_id
      AND earlier.retry_at > now() - interval '${HOLD_OVERDUE}'
    GROUP BY wanted.n
  ), claimed AS (
    INSERT INTO inbox (event_id, handler)
    SELECT event_id, handler FROM wanted WHERE n NOT IN (SELECT n FROM held)
    ON CONFLICT DO NOTHING
    RETURNING event_id, handler
  ), cleared AS (
    DELETE FROM inbox_retries USING claimed
    WHERE inbox_retries.event_id = claimed.event_id AND inbox_retries.handler = claimed.handler
  ), waiting AS (
    INSERT INTO inbox_retries (event_id, handler, aggregate, sequence, attempts, error, retry_at)
    SELECT event_id, handler, aggregate, sequence, 0, 'waits for an earlier event', held.until
    FROM wanted JOIN held USING (n)
    ON CONFLICT (event_id, handler) DO UPDATE SET retry_at = excluded.retry_at
  )
  SELECT claimed.event_id IS NOT NULL AS claimed,
    (extract(epoch FROM held.until - now()) * 1000)::int AS hold_ms
  FROM wanted LEFT JOIN claimed USING (event_id, handler) LEFT JOIN held USING (n)
  ORDER BY n`;

const noteFailureSql = `
  INSERT INTO inbox_retries (event_id, handler, aggregate, sequence, attempts, error, retry_at)
  VALUES ($1, $2, $3, $4, 1, $5, now() + ($6::float8[])[1] * interval '1 ms')
  ON CONFLICT (event_id, handler) DO UPDATE SET
    sequence = excluded.sequence,
    attempts = inbox_retries.attempts + 1,
    error = excluded.error,
    retry_at = now() + coalesce(($6::float8[])[inbox_retries.attempts + 1], 0) * interval '1 ms'
  RETURNING attempts`;

const parkSql = `
  WITH receipt AS (
    INSERT INTO inbox (event_id, handler) VALUES ($1, $2) ON CONFLICT DO NOTHING
  ), cleared AS (
    DELETE FROM inbox_retries WHERE event_id = $1 AND handler = $2
  )
  INSERT INTO dead_letters (event_id, handler, subject, envelope, error, attempts)
  VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (event_id, handler) DO NOTHING`;

interface Claim {
  claimed: boolean;
  hold_ms: number | null;
}

/** Handles events exactly once: receipt and effect are one transaction. */
@Injectable()
export class Inbox {
  private readonly logger = new Logger(Inbox.name);
  private readonly retryDelaysMs: readonly number[];

  constructor(
    private readonly dataSource: DataSource,
    @Inject(SERVICE_MESSAGING_OPTIONS) options: ServiceMessagingOptions,
  ) {
    this.retryDelaysMs = options.retryDelaysMs ?? DEFAULT_RETRY_DELAYS_MS;
  }

  /**
   * Handles deliveries in their order, in one transaction if nothing fails. Otherwise each gets its own, so that a
   * failing one takes no other with it. Never throws.
   */
  async handle(deliveries: readonly Delivery[]): Promise<Outcome[]> {
    if (deliveries.length > 1) {
      try {
        return await this.transact(deliveries);
      } catch {
        // PostgreSQL has rolled back all of them; which one failed shows when each runs alone.
      }
    }
    const outcomes: Outcome[] = [];
    for (const delivery of deliveries) outcomes.push(await this.handleAlone(delivery));
    return outcomes;
  }

  private async handleAlone(delivery: Delivery): Promise<Outcome> {
    try {
      const [outcome = DONE] = await this.transact([delivery]);
      return outcome;
    } catch (error) {
      return await this.fail(delivery, error);
    }
  }

  private async transact(deliveries: readonly Delivery[]): Promise<Outcome[]> {
    const taken = new Map<string, Delivery>();
    const outcomes = await this.dataSource.transaction(async (tx) => {
      const claims: Claim[] = await tx.query(claimSql, [
        deliveries.map(({ event }) => event.id),
        deliveries.map(({ handler }) => handler.key),
        deliveries.map(({ event }) => aggregateOf(event)),
        deliveries.map(({ sequence }) => sequence),
      ]);
      const results: Outcome[] = [];
      for (const [index, delivery] of deliveries.entries()) {
        const { claimed = false, hold_ms: holdMs = null } = claims[index] ?? {};
        // The same event may be in one batch twice.
        const receipt = `${delivery.event.id} ${delivery.handler.key}`;
        if (claimed && !taken.has(receipt)) taken.set(receipt, delivery);
        results.push(holdMs === null ? DONE : { status: 'later', delayMs: holdMs });
      }
      for (const group of groupByCall(taken.values())) await runHandler(group, tx);
      return results;
    });
    for (const { event, handler } of taken.values()) {
      eventsHandled.inc({ type: event.type, handler: handler.key });
      const lagMs = Date.now() - Date.parse(event.occurred_at);
      eventsLag.observe({ handler: handler.key }, Math.max(lagMs, 0) / 1000);
    }
    return outcomes;
  }

  /** Notes the failed attempt, outside of the transaction it broke, and parks the event after the last one. */
  private async fail(delivery: Delivery, error: unknown): Promise<Outcome> {
    const { event, handler, sequence } = delivery;
    const labels = { type: event.type, handler: handler.key };
    const text = describe(error);
    const [firstDelayMs = 1000] = this.retryDelaysMs;
    try {
      const [note]: { attempts: number }[] = await this.dataSource.query(noteFailureSql, [
        event.id,
        handler.key,
        aggregateOf(event),
        sequence,
        text,
        this.retryDelaysMs.length === 0 ? [0] : this.retryDelaysMs,
      ]);
      const attempts = note?.attempts ?? 1;
      const delayMs = this.retryDelaysMs[attempts - 1];
      if (delayMs !== undefined) {
        eventsRetried.inc(labels);
        this.logger.warn(
          `${handler.key} failed on ${event.type} ${event.id}, attempt ${attempts}; again in ${delayMs} ms: ${text}`,
        );
        return { status: 'later', delayMs };
      }
      await this.dataSource.query(parkSql, [
        event.id,
        handler.key,
        handler.subject,
        JSON.stringify(event),
        text,
        attempts,
      ]);
      eventsDead.inc(labels);
      this.logger.error(
        `${handler.key} gave up on ${event.type} ${event.id} after ${attempts} attempts; see dead_letters: ${text}`,
        error instanceof Error ? error.stack : undefined,
      );
      return DONE;
    } catch (noteError) {
      // Without the database nothing counts as an attempt.
      this.logger.error(`could not note a failure of ${handler.key}: ${describe(noteError)}`);
      return { status: 'later', delayMs: firstDelayMs };
    }
  }
}

/** What is handled by one call: a delivery, or those for a handler of several events that follow each other. */
function groupByCall(deliveries: Iterable<Delivery>): [Delivery, ...Delivery[]][] {
  const groups: [Delivery, ...Delivery[]][] = [];
  for (const delivery of deliveries) {
    const last = groups.at(-1);
    if (last && delivery.handler.batch && last[0].handler === delivery.handler) {
      last.push(delivery);
    } else {
      groups.push([delivery]);
    }
  }
  return groups;
}

/**
 * Runs the handler of events in the context of the first; its span links to the traces of the others.
 * @param deliveries all for one handler
 * @throws what it throws
 */
export async function runHandler(
  deliveries: readonly [Omit<Delivery, 'sequence'>, ...Omit<Delivery, 'sequence'>[]],
  tx: EntityManager,
): Promise<void> {
  const [{ event, handler, traceparent }, ...others] = deliveries;
  const attributes = {
    'messaging.system': 'nats',
    'messaging.destination.name': handler.subject,
    ...(others.length === 0
      ? { 'messaging.message.id': event.id }
      : { 'messaging.batch.message_count': deliveries.length }),
  };
  const span = startSpan(
    `${handler.subject} process`,
    SpanKind.CONSUMER,
    traceparent,
    attributes,
    others.map((other) => other.traceparent),
  );
  const events: [EventEnvelope, ...EventEnvelope[]] = [
    event,
    ...others.map((other) => other.event),
  ];
  const context = { requestId: event.id, traceparent: span.traceparent };
  try {
    await requestContext.run(context, () => span.run(() => handler.run(events, { tx })));
    span.end();
  } catch (error) {
    span.end(error);
    throw error;
  }
}

/** `<service>.<entity>:<id>` */
function aggregateOf({ type, aggregate_id }: EventEnvelope): string {
  return `${type.slice(0, type.lastIndexOf('.'))}:${aggregate_id}`;
}

/** An error as one text, short enough to keep. PostgreSQL text cannot hold U+0000. */
export function describe(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replaceAll('\0', '').slice(0, MAX_ERROR_LENGTH);
}
