import type { DataSource } from 'typeorm';
import { EVENT_STREAM } from '../nats-permissions.js';
import type { EventStream } from './event-stream.js';

/*
 * Puts in line again what was published with or after the last event that the stream still has ($3), or within the
 * horizon when that does not tell: the stream has none of ours, or one that was published after the loss.
 */
const republishSql = `
  WITH kept AS (
    SELECT published_at FROM outbox WHERE event_id = $3::uuid
  ), last AS (
    SELECT published_at FROM outbox JOIN outbox_stream ON event_id = last_event WHERE name = $1
  ), from_then AS (
    SELECT CASE WHEN kept.published_at < last.published_at THEN kept.published_at END AS time
    FROM kept, last
  ), again AS (
    UPDATE outbox SET published_at = NULL
    WHERE published_at >= coalesce((SELECT time FROM from_then), now() - $4 * interval '1 ms')
      AND event_id IS DISTINCT FROM $3::uuid
    RETURNING 1
  ), remembered AS (
    UPDATE outbox_stream SET last_sequence = $2, last_event = $3 WHERE name = $1
  )
  SELECT count(*)::int AS events FROM again`;

/**
 * Finds out whether the stream has lost its tail, as when its store was restored from an older copy or a broker forgot
 * what it had not written yet: the last event that was confirmed to this service is not there any more.
 * @param horizonMs how far back events are published again when the stream does not tell what it lost
 * @returns how many lost events were put in line again
 */
export async function recoverTail(
  dataSource: DataSource,
  stream: EventStream,
  horizonMs: number,
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
  const [lost]: { events: number }[] = await dataSource.query(republishSql, [
    EVENT_STREAM,
    last.sequence,
    last.event ?? null,
    horizonMs,
  ]);
  return lost?.events ?? 0;
}
