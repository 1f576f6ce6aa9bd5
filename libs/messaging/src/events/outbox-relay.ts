import { Inject, Injectable, Logger } from '@nestjs/common';
import { headers, type Msg } from '@nats-io/transport-node';
import type { Client } from 'pg';
import { NatsConnectionProvider } from '../connection/nats-connection.provider.js';
import { ReplyRouter } from '../connection/reply-router.js';
import type { ServiceMessagingOptions } from '../messaging.options.js';
import { eventsPublished, outboxAge } from '../metrics.js';
import { EVENT_STREAM } from '../nats-permissions.js';
import { header } from '../requests/headers.js';
import { SERVICE_MESSAGING_OPTIONS } from '../tokens.js';
import { SpanKind, startSpan } from '../tracing.js';
import { EventStream, StreamAwaitedError } from './event-stream.js';

const ACK_TIMEOUT_MS = 5000;
/** The stream is looked at this often although nothing hints that it changed. */
const STREAM_CHECK_MS = 60_000;
const DAY_MS = 86_400_000;
const CLEAN_EVERY_MS = 60_000;
const CLEAN_BATCH = 1000;
const CLEAN_BATCHES = 50;

interface OutboxRow {
  id: string;
  event_id: string;
  subject: string;
  type: string;
  aggregate_id: string;
  version: number;
  payload: string;
  trace: string | null;
  occurred_at: string;
}

/** What a pass of the relay did. */
export interface Pass {
  readonly published: number;
  readonly more: boolean;
}

const nothing: Pass = { published: 0, more: false };

interface PubAck {
  stream?: string;
  seq?: number;
  duplicate?: boolean;
  error?: { code: number; err_code?: number; description: string };
}

const nextRowsSql = `
  SELECT id::text, event_id, subject, type, aggregate_id, version, payload::text, trace,
    to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS occurred_at
  FROM outbox WHERE published_at IS NULL ORDER BY outbox.id LIMIT $1`;

const markSql = 'UPDATE outbox SET published_at = now() WHERE id = ANY($1::bigint[])';

/*
 * Clean-up looks at the oldest rows only, in the order of the primary key, so a round that finds nothing to delete
 * costs one batch at most. Event ids are UUIDv7, so the order of the inbox's key is the order of time as well.
 */
const cleanSql = {
  outbox: `
    WITH oldest AS (SELECT id, published_at FROM outbox ORDER BY id LIMIT ${CLEAN_BATCH})
    DELETE FROM outbox USING oldest
    WHERE outbox.id = oldest.id AND oldest.published_at < now() - interval '7 days'`,
  inbox: `
    WITH oldest AS (
      SELECT event_id, handler, handled_at FROM inbox ORDER BY event_id, handler LIMIT ${CLEAN_BATCH}
    )
    DELETE FROM inbox USING oldest
    WHERE inbox.event_id = oldest.event_id AND inbox.handler = oldest.handler
      AND oldest.handled_at < now() - interval '14 days'`,
  retries: `DELETE FROM inbox_retries WHERE retry_at < now() - interval '14 days'`,
  deadLetters: `DELETE FROM dead_letters WHERE retried_at < now() - $1 * interval '1 day'`,
};

/**
 * Hands the outbox to JetStream, in the order of the rows. Works on the connection that holds the service's lock, so
 * a relay that lost its lock cannot mark anything any more.
 */
@Injectable()
export class OutboxRelay {
  private readonly logger = new Logger(OutboxRelay.name);
  private readonly batchSize: number;
  private readonly horizonMs: number;
  private readonly deadLetterDays: number;
  private checkStreamAt = 0;
  private cleanAt = 0;
  private lastSequence = 0;
  private failing = false;

  constructor(
    private readonly nats: NatsConnectionProvider,
    private readonly inbox: ReplyRouter,
    private readonly stream: EventStream,
    @Inject(SERVICE_MESSAGING_OPTIONS) options: ServiceMessagingOptions,
  ) {
    this.batchSize = options.relayBatchSize ?? 500;
    this.horizonMs = options.republishHorizonMs ?? DAY_MS;
    this.deadLetterDays = options.deadLetterDays ?? 30;
    nats.onChange((connected) => {
      if (connected) this.suspectStream();
    });
  }

  /** Makes the next pass look whether the stream is still the one it knew. */
  suspectStream(): void {
    this.checkStreamAt = 0;
  }

  /**
   * Publishes one batch.
   * @returns how many events were published, and whether more are waiting already
   * @throws when PostgreSQL fails; failures of NATS are logged once and leave the rows for the next pass
   */
  async pass(client: Client): Promise<Pass> {
    if (!this.nats.health().connected) {
      await this.measure(client);
      return nothing;
    }
    try {
      if (Date.now() >= this.checkStreamAt) await this.checkStream(client);
    } catch (error) {
      await this.measure(client);
      this.report(error);
      return nothing;
    }
    // After a failure one event has to get through before others follow: a full stream may have room for a later one.
    const size = this.failing ? 1 : this.batchSize;
    const { rows } = await client.query<OutboxRow>({
      name: 'outbox-next',
      text: nextRowsSql,
      values: [size],
    });
    if (rows.length === 0) {
      outboxAge.set(0);
      return nothing;
    }
    const acks = await Promise.allSettled(rows.map((row) => this.publish(row)));
    const failed = acks.findIndex(({ status }) => status === 'rejected');
    // Only what precedes the first failure counts: a later event of its aggregate must not be marked before it.
    const stored = failed === -1 ? rows : rows.slice(0, failed);
    if (stored.length > 0) {
      await client.query({
        name: 'outbox-mark',
        text: markSql,
        values: [stored.map(({ id }) => id)],
      });
      for (const { type } of stored) eventsPublished.inc({ type });
    }
    const failure = acks[failed];
    if (failure?.status === 'rejected') {
      setAge(rows[failed]);
      this.suspectStream();
      this.report(failure.reason);
      return nothing;
    }
    if (this.failing) this.logger.log('publishing events again');
    this.failing = false;
    return { published: rows.length, more: rows.length === size };
  }

  /** Tells the writers of the outbox whether they must wake this relay. */
  async announce(client: Client, state: 'awake' | 'asleep'): Promise<void> {
    const value = state === 'awake' ? 1 : 2;
    await client.query("SELECT setval('outbox_relay_state', $1)", [value]);
  }

  /** Deletes what nobody needs any more, at most once a minute. */
  async clean(client: Client): Promise<void> {
    if (Date.now() < this.cleanAt) return;
    this.cleanAt = Date.now() + CLEAN_EVERY_MS;
    for (const sql of [cleanSql.outbox, cleanSql.inbox]) {
      for (let batch = 0; batch < CLEAN_BATCHES; batch++) {
        const { rowCount } = await client.query(sql);
        if ((rowCount ?? 0) < CLEAN_BATCH) break;
      }
    }
    await client.query(cleanSql.retries);
    await client.query(cleanSql.deadLetters, [this.deadLetterDays]);
  }

  /** A failure of NATS, told once until things work again. */
  private report(error: unknown): void {
    if (error instanceof StreamAwaitedError) return;
    if (!this.failing) this.logger.warn(`cannot publish events, trying on: ${String(error)}`);
    this.failing = true;
  }

  private async measure(client: Client): Promise<void> {
    const { rows } = await client.query<OutboxRow>(nextRowsSql, [1]);
    setAge(rows[0]);
  }

  private async publish(row: OutboxRow): Promise<void> {
    const span = startSpan(`${row.subject} publish`, SpanKind.PRODUCER, row.trace ?? undefined, {
      'messaging.system': 'nats',
      'messaging.destination.name': row.subject,
      'messaging.message.id': row.event_id,
    });
    const sent = headers();
    sent.append('Nats-Msg-Id', row.event_id);
    if (span.traceparent) sent.append(header.traceparent, span.traceparent);
    try {
      const reply = await this.inbox.request(row.subject, envelope(row), sent, ACK_TIMEOUT_MS);
      this.checkAck(reply);
      span.end();
    } catch (error) {
      span.end(error);
      throw error;
    }
  }

  private checkAck(reply: Msg): void {
    const ack = reply.json<PubAck>();
    if (ack.error) throw new Error(`JetStream: ${ack.error.description}`);
    if (ack.stream !== EVENT_STREAM) throw new Error('not stored by the event stream');
    const { seq = 0, duplicate } = ack;
    // Numbers only grow within one stream.
    if (!duplicate && seq <= this.lastSequence) this.suspectStream();
    if (!duplicate) this.lastSequence = seq;
  }

  /**
   * Provisions the stream. If it is another than last time, the broker has lost its store: whatever was published
   * within the horizon is put in line again, and the inboxes absorb what had been handled.
   */
  private async checkStream(client: Client): Promise<void> {
    const created = await this.stream.ensure();
    const { rows } = await client.query<{ created: string }>(
      'SELECT created FROM outbox_stream WHERE name = $1',
      [EVENT_STREAM],
    );
    if (rows[0]?.created !== created) {
      const { rows: again } = await client.query<{ events: number }>(
        `WITH again AS (
           UPDATE outbox SET published_at = NULL
           WHERE published_at > now() - $3 * interval '1 ms' RETURNING 1
         ), remembered AS (
           INSERT INTO outbox_stream (name, created) VALUES ($1, $2)
           ON CONFLICT (name) DO UPDATE SET created = excluded.created, seen_at = now()
         )
         SELECT count(*)::int AS events FROM again`,
        [EVENT_STREAM, created, this.horizonMs],
      );
      const events = again[0]?.events ?? 0;
      if (events > 0) {
        this.logger.warn(`the event stream is new (${created}): publishing ${events} events again`);
      }
      this.lastSequence = 0;
    }
    this.checkStreamAt = Date.now() + STREAM_CHECK_MS;
  }
}

function setAge(row: OutboxRow | undefined): void {
  outboxAge.set(row ? Math.max(0, Date.now() - Date.parse(row.occurred_at)) / 1000 : 0);
}

/** The envelope around the stored JSON, which is not parsed on the way. */
function envelope(row: OutboxRow): string {
  const { event_id: id, type, occurred_at, aggregate_id, version, trace } = row;
  const head = JSON.stringify({
    id,
    type,
    occurred_at,
    aggregate_id,
    version,
    trace: trace ?? undefined,
  });
  return `${head.slice(0, -1)},"data":${row.payload}}`;
}
