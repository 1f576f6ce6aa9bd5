import type { DataSource } from 'typeorm';
import { EVENT_STREAM } from '../nats-permissions.js';
import type { EventStream } from './event-stream.js';

/** Rows that one statement looks at: a statement for all of them would end with `statement_timeout`, each time. */
const BATCH_SIZE = 1000;

const requeueSql = `
  WITH batch AS MATERIALIZED (
    SELECT id, event_id, published_at FROM outbox WHERE id > $1::bigint ORDER BY id LIMIT ${BATCH_SIZE}
  ), again AS (
    UPDATE outbox SET published_at = NULL FROM batch
    WHERE outbox.id = batch.id AND batch.published_at >= $2::timestamptz
      AND batch.event_id IS DISTINCT FROM $3::uuid
    RETURNING 1
  )
  SELECT (SELECT max(id)::text FROM batch) AS last_id, (SELECT count(*)::int FROM again) AS events`;

/**
 * Since when events are to be published again: since the last one that the stream still has ($2), or within the horizon
 * when that does not follow from it, as the stream has none of ours, or one that was published after the loss.
 */
const lostSinceSql = `
  WITH kept AS (
    SELECT published_at FROM outbox WHERE event_id = $2::uuid
  ), last AS (
    SELECT published_at FROM outbox JOIN outbox_stream ON event_id = last_event WHERE name = $1
  )
  SELECT coalesce(
    (SELECT kept.published_at FROM kept JOIN last ON kept.published_at < last.published_at),
    now() - $3 * interval '1 ms'
  )::text AS since`;

/**
 * Queues again the events published within the horizon.
 * @param signal ends it between two statements
 * @returns how many events
 */
export async function requeueAll(
  dataSource: DataSource,
  horizonMs: number,
  signal: AbortSignal,
): Promise<number> {
  const [{ since }]: [{ since: string }] = await dataSource.query(
    `SELECT (now() - $1 * interval '1 ms')::text AS since`,
    [horizonMs],
  );
  return await requeue(dataSource, { since, signal });
}

/**
 * Finds out whether the stream has lost its tail, as when its store was restored from an older copy or a broker forgot
 * what it had not written yet: the last event that was confirmed to this service is not there any more.
 * @param horizonMs how far back events are published again when the stream does not show what it lost
 * @param signal ends it between two statements
 * @returns how many lost events were queued again
 */
export async function recoverTail(
  dataSource: DataSource,
  stream: EventStream,
  horizonMs: number,
  signal: AbortSignal,
): Promise<number> {
  const [confirmed]: { last_sequence: string | null; last_event: string | null }[] =
    await dataSource.query('SELECT last_sequence, last_event FROM outbox_stream WHERE name = $1', [
      EVENT_STREAM,
    ]);
  if (confirmed?.last_sequence == null) return 0;
  const sequence = Number(confirmed.last_sequence);
  const last = await stream.lastOwn();
  if (!last || last.firstSequence > sequence) return 0; // purged, or older than the stream keeps
  if (last.event === confirmed.last_event || last.sequence > sequence) return 0;
  const kept = last.event ?? null;
  const [{ since }]: [{ since: string }] = await dataSource.query(lostSinceSql, [
    EVENT_STREAM,
    kept,
    horizonMs,
  ]);
  const events = await requeue(dataSource, { since, kept, signal });
  // Last, so that a failure before begins anew.
  await dataSource.query(
    'UPDATE outbox_stream SET last_sequence = $2, last_event = $3 WHERE name = $1',
    [EVENT_STREAM, last.sequence, kept],
  );
  return events;
}

/** Nothing is published meanwhile, so the events keep their order. */
async function requeue(
  dataSource: DataSource,
  { since, kept = null, signal }: { since: string; kept?: string | null; signal: AbortSignal },
): Promise<number> {
  let events = 0;
  let after: string | null = '0';
  while (after !== null) {
    signal.throwIfAborted();
    const [batch]: [{ last_id: string | null; events: number }] = await dataSource.query(
      requeueSql,
      [after, since, kept],
    );
    events += batch.events;
    after = batch.last_id;
  }
  return events;
}
