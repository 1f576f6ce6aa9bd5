import { Inject, Injectable, Logger } from '@nestjs/common';
import { headers, InvalidArgumentError, type Msg } from '@nats-io/transport-node';
import { DataSource } from 'typeorm';
import { NatsConnectionProvider } from '../connection/nats-connection.provider.js';
import { NoReplyError, ReplyRouter } from '../connection/reply-router.js';
import type { ServiceMessagingOptions } from '../messaging.options.js';
import { EVENT_STREAM } from '../nats-permissions.js';
import { header } from '../requests/headers.js';
import { SERVICE_MESSAGING_OPTIONS } from '../tokens.js';
import { SpanKind, startSpan } from '../tracing.js';
import { EventStream, StreamAwaitedError } from './event-stream.js';
import { NotLeaderError, type Term } from './leader-lock.js';
import {
  deadLettersWaiting,
  eventsParked,
  eventsPublished,
  eventsWaiting,
  outboxAge,
  outboxParked,
} from './metrics.js';
import { recoverTail, requeueAll } from './stream-loss.js';

const ACK_TIMEOUT_MS = 5000;
/** The stream is looked at this often although nothing hints that it changed. */
const STREAM_CHECK_MS = 60_000;
const DAY_MS = 86_400_000;
const CLEAN_EVERY_MS = 60_000;
const CLEAN_BATCH = 1000;
const CLEAN_BATCHES = 50;
/** Bytes of payloads that a pass holds in memory, but for one event that has more. */
const PASS_BYTES = 8 * 1024 ** 2;
/** While nothing can be published, this many events try. */
const PROBE_SIZE = 16;
/** Bytes set aside for the headers, which count towards the size of a message. */
const HEADER_BYTES = 512;
/** A server ends the connection of a client whose subject does not fit into its `max_control_line`, 4096 bytes. */
const PUBLISHABLE = /^(?=.{1,255}$)event(\.[^\s.*>]+)+$/;
const MESSAGE_TOO_LARGE = 10054;

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
  /** Of the payloads up to this one. */
  bytes: number;
}

/** What a pass of the relay did. */
export interface Pass {
  readonly published: number;
  /** More events are waiting already. */
  readonly more: boolean;
  /** Something kept events from being published; they are tried again. */
  readonly failed: boolean;
}

const nothing: Pass = { published: 0, more: false, failed: false };
const failure: Pass = { ...nothing, failed: true };

/** Why an event can never be published. */
type Obstacle = 'permission' | 'size' | 'subject';

class UnpublishableError extends Error {
  override readonly name = 'UnpublishableError';

  constructor(
    readonly obstacle: Obstacle,
    message: string,
  ) {
    super(message);
  }
}

/** What became of the rows of a pass. */
interface Batch {
  readonly published: OutboxRow[];
  /** The one of these that is last in the stream. */
  last?: { sequence: number; row: OutboxRow };
  readonly parked: { row: OutboxRow; error: UnpublishableError }[];
  failed?: { row: OutboxRow; error: unknown };
}

interface PubAck {
  stream?: string;
  seq?: number;
  duplicate?: boolean;
  error?: { code: number; err_code?: number; description: string };
}

const nextRowsSql = 'SELECT * FROM next_outbox_rows($1, $2)';

/*
 * Commits without waiting for the disk, in this transaction only: a mark that a crash of PostgreSQL forgets means an
 * event published twice, which the inboxes absorb. A former leader marks nothing: its successor may have found that the
 * stream is lost, and queued the same rows again.
 */
const markSql = `
  WITH leader AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true) FROM event_leadership WHERE term = $5 FOR SHARE
  ), confirmed AS (
    UPDATE outbox_stream SET last_sequence = $3, last_event = $4 FROM leader
    WHERE name = $2 AND (last_sequence IS NULL OR last_sequence < $3)
  )
  UPDATE outbox SET published_at = now() FROM leader WHERE id = ANY($1::bigint[])`;

const parkSql = `
  UPDATE outbox SET parked_at = now(), parked_because = because
  FROM unnest($1::bigint[], $2::text[]) AS parked (id, because) WHERE outbox.id = parked.id`;

/*
 * Clean-up looks at the oldest rows only, in the order of the primary key, so a round that finds nothing to delete
 * costs one batch at most. Event ids are UUIDv7, so the order of the inbox's key is the order of time as well.
 */
const cleanSql = {
  outbox: `
    WITH oldest AS (
      SELECT id, published_at FROM outbox WHERE parked_at IS NULL ORDER BY id LIMIT ${CLEAN_BATCH}
    )
    DELETE FROM outbox USING oldest
    WHERE outbox.id = oldest.id AND oldest.published_at < now() - interval '7 days'`,
  inbox: `
    WITH oldest AS (
      SELECT event_id, handler, handled_at FROM inbox ORDER BY event_id, handler LIMIT ${CLEAN_BATCH}
    )
    DELETE FROM inbox USING oldest
    WHERE inbox.event_id = oldest.event_id AND inbox.handler = oldest.handler
      AND oldest.handled_at < now() - interval '14 days'`,
  deadLetters: `DELETE FROM dead_letters WHERE retried_at < now() - $1 * interval '1 day'`,
};

/** What waits for an operator. Both counts have an index of just these rows. */
const countSql = `
  SELECT (SELECT count(*) FROM dead_letters WHERE retried_at IS NULL)::int AS dead_letters,
    (SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL)::int AS parked`;

/**
 * Hands the outbox to JetStream. An event is sent when the earlier ones of its aggregate are confirmed; aggregates do not
 * wait for each other.
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
  private lookedAt = new Date();

  constructor(
    private readonly dataSource: DataSource,
    private readonly nats: NatsConnectionProvider,
    private readonly replies: ReplyRouter,
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

  /** Another process is the leader and reports how old its events are. */
  standBy(): void {
    outboxAge.since = undefined;
    eventsWaiting.since = undefined;
    deadLettersWaiting.set(0);
    outboxParked.set(0);
    // As soon as this process leads, it counts.
    this.cleanAt = 0;
    this.lookedAt = new Date();
  }

  /** The outbox cannot be read: what was added since the last look is unpublished. */
  notePause(): void {
    outboxAge.since ??= this.lookedAt;
  }

  /**
   * Publishes one batch.
   * @param term of this process as the leader
   * @param signal ends the batch: what JetStream was not sent yet stays
   * @param hasUnpublished whether there is anything to read
   * @throws when PostgreSQL fails, and NotLeaderError when another process has begun to lead; failures of NATS are logged once and leave the rows for the next pass
   */
  async pass(
    term: Term,
    signal: AbortSignal,
    hasUnpublished: () => Promise<boolean>,
  ): Promise<Pass> {
    if (!this.nats.health().connected) {
      await this.measure();
      return failure;
    }
    try {
      if (Date.now() >= this.checkStreamAt) await this.checkStream(signal);
    } catch (error) {
      signal.throwIfAborted();
      await this.measure();
      this.report(error);
      return failure;
    }
    if (!(await hasUnpublished())) {
      this.noteRows([]);
      return nothing;
    }
    const size = this.failing ? PROBE_SIZE : this.batchSize;
    const rows = await this.nextRows(size);
    if (rows.length === 0) return nothing;
    const batch: Batch = { published: [], parked: [], failed: undefined };
    await Promise.all(byAggregate(rows).map((line) => this.publishLine(line, batch, signal)));
    await this.mark(batch, term);
    if (batch.failed) {
      const { row, error } = batch.failed;
      outboxAge.since = new Date(row.occurred_at);
      this.suspectStream();
      this.report(error);
      this.failing = batch.published.length === 0;
      return { published: batch.published.length, more: false, failed: true };
    }
    if (this.failing) this.logger.log('publishing events again');
    this.failing = false;
    const more = rows.length === size || (rows.at(-1)?.bytes ?? 0) >= PASS_BYTES;
    return { published: batch.published.length, more, failed: false };
  }

  /** Deletes what nobody needs any more and counts what waits for an operator, at most once a minute. */
  async clean(): Promise<void> {
    if (Date.now() < this.cleanAt) return;
    this.cleanAt = Date.now() + CLEAN_EVERY_MS;
    for (const sql of [cleanSql.outbox, cleanSql.inbox]) {
      for (let batch = 0; batch < CLEAN_BATCHES; batch++) {
        const [, deleted]: [unknown[], number] = await this.dataSource.query(sql);
        if (deleted < CLEAN_BATCH) break;
      }
    }
    await this.dataSource.query(cleanSql.deadLetters, [this.deadLetterDays]);
    const [count]: { dead_letters: number; parked: number }[] =
      await this.dataSource.query(countSql);
    deadLettersWaiting.set(count?.dead_letters ?? 0);
    outboxParked.set(count?.parked ?? 0);
  }

  /** A failure of NATS, logged once until things work again. */
  private report(error: unknown): void {
    if (error instanceof StreamAwaitedError) return;
    if (!this.failing) this.logger.warn(`cannot publish events, trying on: ${String(error)}`);
    this.failing = true;
  }

  private async nextRows(limit: number): Promise<OutboxRow[]> {
    const rows: OutboxRow[] = await this.dataSource.query(nextRowsSql, [limit, PASS_BYTES]);
    this.noteRows(rows);
    return rows;
  }

  private noteRows([oldest]: readonly OutboxRow[]): void {
    this.lookedAt = new Date();
    outboxAge.since = oldest && new Date(oldest.occurred_at);
  }

  private async measure(): Promise<void> {
    await this.nextRows(1);
  }

  /** Publishes the events of one aggregate, each when the one before it is confirmed or parked. */
  private async publishLine(
    line: readonly OutboxRow[],
    batch: Batch,
    signal: AbortSignal,
  ): Promise<void> {
    for (const row of line) {
      if (signal.aborted || batch.failed) return;
      try {
        const sequence = await this.publish(row);
        batch.published.push(row);
        if (sequence > (batch.last?.sequence ?? 0)) batch.last = { sequence, row };
      } catch (error) {
        if (error instanceof UnpublishableError) {
          batch.parked.push({ row, error });
        } else {
          batch.failed ??= { row, error };
          return;
        }
      }
    }
  }

  private async mark({ published, last, parked }: Batch, term: Term): Promise<void> {
    if (published.length > 0) {
      const [, marked]: [unknown[], number] = await this.dataSource.query(markSql, [
        published.map(({ id }) => id),
        EVENT_STREAM,
        last?.sequence ?? 0,
        last?.row.event_id ?? null,
        term,
      ]);
      if (marked === 0) throw new NotLeaderError();
      for (const { type } of published) eventsPublished.inc({ type });
    }
    if (parked.length > 0) {
      await this.dataSource.query(parkSql, [
        parked.map(({ row }) => row.id),
        parked.map(({ error }) => error.message),
      ]);
      outboxParked.inc(parked.length);
      for (const { row, error } of parked) {
        eventsParked.inc({ type: row.type, reason: error.obstacle });
        this.logger.error(
          `${row.type} ${row.event_id} can never be published and is parked in the outbox: ${error.message}`,
        );
      }
    }
  }

  /** @returns its number in the stream */
  private async publish(row: OutboxRow): Promise<number> {
    const text = Buffer.from(envelope(row));
    this.refuseUnpublishable(row, text);
    const span = startSpan(`${row.subject} publish`, SpanKind.PRODUCER, row.trace ?? undefined, {
      'messaging.system': 'nats',
      'messaging.destination.name': row.subject,
      'messaging.message.id': row.event_id,
    });
    const sent = headers();
    sent.append('Nats-Msg-Id', row.event_id);
    if (span.traceparent) sent.append(header.traceparent, span.traceparent);
    try {
      const reply = await this.replies.request(row.subject, text, sent, ACK_TIMEOUT_MS);
      const sequence = this.checkAck(reply);
      span.end();
      return sequence;
    } catch (error) {
      span.end(error);
      throw unpublishable(error) ?? error;
    }
  }

  /** Before NATS sees it: a server ends the connection of a client that sends what it cannot take. */
  private refuseUnpublishable({ subject }: OutboxRow, text: Uint8Array): void {
    if (!PUBLISHABLE.test(subject)) {
      throw new UnpublishableError(
        'subject',
        `${JSON.stringify(subject)} is no subject of the event stream: it must be "event." and words, of at most 255 characters.`,
      );
    }
    const limit = this.nats.connection.info?.max_payload ?? Infinity;
    if (text.length + HEADER_BYTES > limit) {
      throw new UnpublishableError(
        'size',
        `It has ${text.length} bytes, and NATS takes ${limit} with the headers: raise its max_payload.`,
      );
    }
  }

  private checkAck(reply: Msg): number {
    const ack = reply.json<PubAck>();
    if (ack.error) throw new JetStreamError(ack.error);
    if (ack.stream !== EVENT_STREAM) throw new Error('not stored by the event stream');
    const { seq = 0, duplicate } = ack;
    // Numbers only grow within one stream.
    if (!duplicate && seq <= this.lastSequence) this.suspectStream();
    if (!duplicate) this.lastSequence = seq;
    return seq;
  }

  /**
   * Provisions the stream. If it is another than last time, the broker has lost its store: whatever was published
   * within the horizon is put in line again, and the inboxes absorb what had been handled. The same goes for what a stream
   * has lost at its end.
   */
  private async checkStream(signal: AbortSignal): Promise<void> {
    const created = await this.stream.ensure();
    const [known]: { created: string }[] = await this.dataSource.query(
      'SELECT created FROM outbox_stream WHERE name = $1',
      [EVENT_STREAM],
    );
    if (known?.created !== created) {
      const events = await requeueAll(this.dataSource, this.horizonMs, signal);
      // Last, so that a failure before begins anew.
      await this.dataSource.query(
        `INSERT INTO outbox_stream (name, created) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET created = excluded.created, seen_at = now(),
           last_sequence = NULL, last_event = NULL`,
        [EVENT_STREAM, created],
      );
      if (events > 0) {
        this.logger.warn(`the event stream is new (${created}): publishing ${events} events again`);
      }
      this.lastSequence = 0;
    } else {
      const events = await recoverTail(this.dataSource, this.stream, this.horizonMs, signal);
      if (events > 0) {
        this.logger.warn(`the event stream has lost its end: publishing ${events} events again`);
        this.lastSequence = 0;
      }
    }
    this.checkStreamAt = Date.now() + STREAM_CHECK_MS;
  }
}

class JetStreamError extends Error {
  override readonly name = 'JetStreamError';
  readonly code: number | undefined;

  constructor({ err_code, description }: NonNullable<PubAck['error']>) {
    super(description);
    this.code = err_code;
  }
}

/** The failure as one that no further attempt can mend; undefined where it can. */
function unpublishable(error: unknown): UnpublishableError | undefined {
  if (error instanceof NoReplyError && error.reason === 'denied') {
    return new UnpublishableError('permission', 'The NATS user may not publish on its subject.');
  }
  const tooLarge =
    error instanceof InvalidArgumentError ||
    (error instanceof JetStreamError && error.code === MESSAGE_TOO_LARGE);
  return tooLarge ? new UnpublishableError('size', error.message) : undefined;
}

/** The rows of each aggregate, in their order. */
function byAggregate(rows: readonly OutboxRow[]): OutboxRow[][] {
  const lines = new Map<string, OutboxRow[]>();
  for (const row of rows) {
    const entity = row.type.slice(0, row.type.lastIndexOf('.'));
    const aggregate = `${entity}:${row.aggregate_id}`;
    const line = lines.get(aggregate);
    if (line) line.push(row);
    else lines.set(aggregate, [row]);
  }
  return [...lines.values()];
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
