import { randomUUIDv7 } from 'node:crypto';
import type { EventContract } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { requestContext } from '../request-context.js';
import { activeTraceparent } from '../tracing.js';

/** Stays under the 1 MiB a NATS message may have, envelope included. */
const MAX_DATA_BYTES = 900_000;

/** An event to be published once its transaction commits. */
export interface OutboxEntry<Data = unknown> {
  event: EventContract<Data>;
  /** Id of the entity the event is about. */
  aggregateId: string | number;
  data: Data;
}

/** Columns of new `outbox` rows, one array element per event, for `unnest` in a statement of one's own. */
export interface OutboxColumns {
  eventIds: string[];
  subjects: string[];
  types: string[];
  aggregateIds: string[];
  versions: number[];
  /** JSON texts. */
  payloads: string[];
  traces: (string | null)[];
}

/**
 * Inserts the rows that `outboxColumns` made. Parameters in this order:
 * event ids `uuid[]`, subjects, types, aggregate ids `text[]`, versions `int[]`, payloads, traces `text[]`.
 *
 * A statement that knows its payloads only once it runs (ids from a CTE) inserts them itself:
 * ```sql
 * INSERT INTO outbox (event_id, subject, type, aggregate_id, version, payload, trace)
 * SELECT uuidv7(), 'event.mentorship.review.created', 'mentorship.review.created', stored.id::text, 1, json_build_object(…), $1
 * FROM stored
 * ```
 * The relay finds the rows either way.
 */
export const insertOutboxSql = `
  INSERT INTO outbox (event_id, subject, type, aggregate_id, version, payload, trace)
  SELECT event_id, subject, type, aggregate_id, version, payload::json, trace
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[])
    AS new (event_id, subject, type, aggregate_id, version, payload, trace)`;

const insertOneSql = `
  INSERT INTO outbox (event_id, subject, type, aggregate_id, version, payload, trace)
  VALUES ($1, $2, $3, $4, $5, $6, $7)`;

/** The trace to store with an event: that of the running span, else of the current request. */
export function outboxTrace(): string | null {
  return activeTraceparent() ?? requestContext.current()?.traceparent ?? null;
}

/** Turns events into columns for {@link insertOutboxSql}. */
export function outboxColumns(entries: readonly OutboxEntry[]): OutboxColumns {
  const trace = outboxTrace();
  return {
    eventIds: entries.map(() => randomUUIDv7()),
    subjects: entries.map(({ event }) => event.subject),
    types: entries.map(({ event }) => event.type),
    aggregateIds: entries.map(({ aggregateId }) => String(aggregateId)),
    versions: entries.map(({ event }) => event.version),
    payloads: entries.map(payloadOf),
    traces: entries.map(() => trace),
  };
}

/**
 * Where a service records what happened. The event exists exactly if the transaction commits, and is then published at
 * least once, in the order in which the events of an aggregate were added. That order is the order of the facts when
 * the transaction holds the aggregate's row lock at that moment.
 */
@Injectable()
export class Outbox {
  /**
   * Adds an event to a transaction; one `INSERT`.
   * @throws when the data exceeds 900 000 bytes
   */
  async add<Data>(
    tx: EntityManager,
    event: EventContract<Data>,
    aggregateId: string | number,
    data: Data,
  ): Promise<void> {
    await tx.query(insertOneSql, [
      randomUUIDv7(),
      event.subject,
      event.type,
      String(aggregateId),
      event.version,
      payloadOf({ event, aggregateId, data }),
      outboxTrace(),
    ]);
  }

  /** Adds several events in their order; one `INSERT`. */
  async addMany(tx: EntityManager, entries: readonly OutboxEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const columns = outboxColumns(entries);
    await tx.query(insertOutboxSql, [
      columns.eventIds,
      columns.subjects,
      columns.types,
      columns.aggregateIds,
      columns.versions,
      columns.payloads,
      columns.traces,
    ]);
  }
}

function payloadOf({ event, data }: OutboxEntry): string {
  const payload = JSON.stringify(data ?? null);
  if (Buffer.byteLength(payload) > MAX_DATA_BYTES) {
    throw new Error(
      `The data of a ${event.type} exceeds ${MAX_DATA_BYTES} bytes: send ids instead.`,
    );
  }
  return payload;
}
