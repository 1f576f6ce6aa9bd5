import type { EventEnvelope } from '@mentorhub/contracts';
import { ApplicationError } from '@mentorhub/contracts';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { ServiceMessagingOptions } from '../messaging.options.js';
import { SERVICE_MESSAGING_OPTIONS } from '../tokens.js';
import { EventHandlers } from './event-handlers.js';
import { NotLeaderError, type Term } from './leader-lock.js';
import {
  deadLettersWaiting,
  eventsDead,
  eventsHandled,
  eventsLag,
  eventsRetried,
} from './metrics.js';
import { type Attempt, RetryQueue, type StoredEvent } from './retry-queue.js';
import { type Call, HandlerError, runHandlers } from './run-handlers.js';

const DEFAULT_RETRY_DELAYS_MS = [1000, 5000, 30_000, 120_000, 600_000];
const MAX_ERROR_LENGTH = 2000;
/**
 * How often in a row a handler may report that the database is away, while it is there for the receipt, until that
 * counts as a failure of the handler.
 */
const MAX_INTERRUPTIONS = 3;

/** An event as the stream delivers it. */
export interface Delivery {
  readonly event: EventEnvelope;
  readonly subject: string;
  readonly traceparent: string | undefined;
}

/** Nothing is known to be wrong with the events: handle them again as soon as the database answers. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/*
 * One round trip for a whole batch: takes a receipt for each event and handler that has none, except where an earlier
 * event of the aggregate waits for a retry ($4 false). A receipt lasts only if the transaction commits; that of a
 * concurrent transaction is waited for.
 */
const claimSql = `
  WITH wanted AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
      WITH ORDINALITY AS wanted (event_id, handler, aggregate, n)
  ), blocked AS (
    SELECT n FROM wanted
    WHERE NOT $4 AND (
      SELECT id FROM inbox_retries WHERE inbox_retries.aggregate = wanted.aggregate ORDER BY id LIMIT 1
    ) IS NOT NULL
  ), claimed AS (
    INSERT INTO inbox (event_id, handler)
    SELECT event_id, handler FROM wanted WHERE n NOT IN (SELECT n FROM blocked)
    ON CONFLICT DO NOTHING
    RETURNING event_id, handler
  )
  SELECT claimed.event_id IS NOT NULL AS claimed,
    blocked.n IS NOT NULL AND NOT EXISTS (
      SELECT FROM inbox WHERE inbox.event_id = wanted.event_id AND inbox.handler = wanted.handler
    ) AS waits
  FROM wanted LEFT JOIN claimed USING (event_id, handler) LEFT JOIN blocked USING (n)
  ORDER BY n`;

interface Claim {
  claimed: boolean;
  waits: boolean;
}

/**
 * Handles events exactly once, as receipt and effect are one transaction, and in the order of each aggregate: while an
 * event lacks any of its handlers, later ones of its aggregate wait for all handlers. What fails and what waits is
 * stored in `inbox_retries`, so the broker need not keep it.
 */
@Injectable()
export class Inbox {
  private readonly logger = new Logger(Inbox.name);
  private readonly retryDelaysMs: readonly number[];
  private readonly batchSize: number;
  private readonly queue: RetryQueue;
  private interrupted = { receipt: '', times: 0 };

  constructor(
    private readonly dataSource: DataSource,
    private readonly handlers: EventHandlers,
    @Inject(SERVICE_MESSAGING_OPTIONS) private readonly options: ServiceMessagingOptions,
  ) {
    this.retryDelaysMs = options.retryDelaysMs ?? DEFAULT_RETRY_DELAYS_MS;
    this.batchSize = options.eventBatchSize ?? 64;
    this.queue = new RetryQueue(dataSource);
  }

  /**
   * Handles events in their order, in one transaction if nothing fails; otherwise each gets its own. When this resolves,
   * each is handled or stored, and need not be delivered again.
   * @param term of this process as the leader
   * @returns whether one was stored for a retry
   * @throws InterruptedError, NotLeaderError when that is not so; events may be given again at any time
   */
  async handle(deliveries: readonly Delivery[], term: Term): Promise<boolean> {
    const events = deliveries.map((delivery) => ({
      ...delivery,
      aggregate: aggregateOf(delivery.event),
      calls: this.handlers
        .of(delivery.subject)
        .map((handler) => ({ handler, event: delivery.event, traceparent: delivery.traceparent })),
    }));
    if (events.length > 1 && (await this.succeeds(() => this.handleFirst(events, term)))) {
      return false;
    }
    let stored = false;
    for (const event of events) {
      if (event.calls.length === 0) await this.confirmTerm(term);
      const failures = await this.tryEach(event.event, event.calls, (call) =>
        this.handleFirst([{ ...event, calls: [call] }], term),
      );
      if (failures.size > 0) {
        await this.recordAttempt({ ...event, attempts: 0, overdue: false }, failures, term);
        stored = true;
      }
    }
    return stored;
  }

  /**
   * Handles the stored events that are due, as `handle` does.
   * @returns in how many milliseconds the next one is due; none if none waits
   */
  async retry(term: Term): Promise<number | undefined> {
    const due = await this.queue.due(this.batchSize);
    const firsts = due.filter(({ attempts }) => attempts === 0);
    // What failed before comes alone, so that it cannot spoil a batch again.
    const together =
      firsts.length > 1 && (await this.succeeds(() => this.handleStored(firsts, term)));
    const stuck = new Set<string>();
    for (const event of due) {
      if (stuck.has(event.aggregate) || (together && event.attempts === 0)) continue;
      const failures = await this.tryStored(event, term);
      if (failures.size > 0) stuck.add(event.aggregate);
      await this.recordAttempt(event, failures, term);
    }
    return await this.queue.nextInMs();
  }

  /** Takes events of the stream; those behind one that waits for a retry are stored. */
  private async handleFirst(
    events: readonly (Delivery & { aggregate: string; calls: readonly Call[] })[],
    term: Term,
  ): Promise<void> {
    await this.transact(term, async (tx) => {
      const claims = await claim(
        events.flatMap((event) => event.calls),
        false,
        tx,
      );
      const waiting = events
        .map((event) => ({
          ...event,
          handlers: event.calls.filter((call) => claims.get(call)?.waits).map(keyOf),
        }))
        .filter(({ handlers }) => handlers.length > 0);
      await this.queue.append(waiting, tx);
      return [...claims].filter(([, { claimed }]) => claimed).map(([call]) => call);
    });
  }

  /** Takes stored events, whose turn it is, and removes them. */
  private async handleStored(events: readonly StoredEvent[], term: Term): Promise<void> {
    await this.transact(term, async (tx) => {
      const calls = events.flatMap((event) => event.handlers.map((key) => this.callOf(event, key)));
      const claims = await claim(calls, true, tx);
      await this.queue.remove(events, tx);
      return calls.filter((call) => claims.get(call)?.claimed);
    });
  }

  private async tryStored(event: StoredEvent, term: Term): Promise<Map<string, unknown>> {
    return await this.tryEach(event.event, event.handlers, async (key) => {
      const call = this.callOf(event, key);
      await this.transact(term, async (tx) => {
        const claims = await claim([call], true, tx);
        return claims.get(call)?.claimed ? [call] : [];
      });
    });
  }

  private callOf({ subject, event, traceparent }: StoredEvent, key: string): Call {
    const handler = this.handlers.find(subject, key);
    if (!handler) throw new HandlerError(`${key} no longer handles ${subject}.`);
    return { handler, event, traceparent };
  }

  /** Runs in a transaction that only the leader can commit; `prepare` says which handlers then run in it. */
  private async transact(
    term: Term,
    prepare: (tx: EntityManager) => Promise<readonly Call[]>,
  ): Promise<void> {
    const handled = await this.dataSource.transaction(async (tx) => {
      const calls = await prepare(tx);
      await runHandlers(calls, tx);
      // Last, as it fails in a transaction that is aborted, where a COMMIT rolls back and reports success.
      await requireTerm(term, tx);
      return calls;
    });
    for (const { event, handler } of handled) {
      eventsHandled.inc({ type: event.type, handler: handler.key });
      const lagMs = Date.now() - Date.parse(event.occurred_at);
      eventsLag.observe({ handler: handler.key }, Math.max(lagMs, 0) / 1000);
    }
  }

  /** Whether a whole batch could be handled. Which of it failed shows when each runs alone. */
  private async succeeds(handle: () => Promise<void>): Promise<boolean> {
    try {
      await handle();
      return true;
    } catch (error) {
      if (error instanceof NotLeaderError) throw error;
      return false;
    }
  }

  /** Tries handlers one by one. @returns the failures by handler @throws what is no failure of a handler */
  private async tryEach<T extends Call | string>(
    { id }: EventEnvelope,
    handlers: readonly T[],
    handle: (handler: T) => Promise<void>,
  ): Promise<Map<string, unknown>> {
    const failures = new Map<string, unknown>();
    for (const handler of handlers) {
      try {
        await handle(handler);
      } catch (error) {
        if (error instanceof NotLeaderError) throw error;
        const key = typeof handler === 'string' ? handler : keyOf(handler);
        if (this.interrupts(error, `${id} ${key}`)) {
          throw new InterruptedError(describe(error), { cause: error });
        }
        const cause = error instanceof HandlerError ? (error.cause ?? error) : error;
        failures.set(key, cause);
      }
    }
    return failures;
  }

  /** Whether an error is the database's, so that it must use up no attempt. */
  private interrupts(error: unknown, receipt: string): boolean {
    if (!(error instanceof HandlerError)) return !refusedData(error);
    const { cause } = error;
    const away =
      !(cause instanceof ApplicationError) &&
      this.options.classify?.(cause)?.code === 'SERVICE_UNAVAILABLE';
    if (!away) return false;
    const times = this.interrupted.receipt === receipt ? this.interrupted.times + 1 : 1;
    this.interrupted = { receipt, times };
    return times <= MAX_INTERRUPTIONS;
  }

  /**
   * The filter of a consumer may be wider than what is handled here; whether a newer version handles it, its leader says.
   */
  private async confirmTerm(term: Term): Promise<void> {
    try {
      await this.dataSource.transaction((tx) => requireTerm(term, tx));
    } catch (error) {
      if (error instanceof NotLeaderError) throw error;
      throw new InterruptedError(describe(error), { cause: error });
    }
  }

  /** Records how an attempt ended, outside of the transactions it broke. @throws InterruptedError */
  private async recordAttempt(
    event: Attempt,
    failures: ReadonlyMap<string, unknown>,
    term: Term,
  ): Promise<void> {
    const attempts = event.attempts + 1;
    const delayMs = event.overdue ? undefined : this.retryDelaysMs[attempts - 1];
    const errors = new Map([...failures].map(([key, error]) => [key, describe(error)]));
    let left: ReadonlySet<string>;
    try {
      left = await this.dataSource.transaction(async (tx) => {
        await requireTerm(term, tx);
        return await this.queue.recordAttempt({ event, attempts, errors, delayMs }, tx);
      });
    } catch (error) {
      if (error instanceof NotLeaderError) throw error;
      throw new InterruptedError(describe(error), { cause: error });
    }
    for (const [handler, error] of errors) {
      if (!left.has(handler)) continue;
      const { type, id } = event.event;
      if (delayMs === undefined) {
        eventsDead.inc({ type, handler });
        deadLettersWaiting.inc();
        this.logger.error(
          `${handler} gave up on ${type} ${id} after ${attempts} attempts; see dead_letters: ${error}`,
          stackOf(failures.get(handler)),
        );
      } else {
        eventsRetried.inc({ type, handler });
        this.logger.warn(
          `${handler} failed on ${type} ${id}, attempt ${attempts}; again in ${delayMs} ms: ${error}`,
        );
      }
    }
  }
}

/** Takes the receipts of calls; a call that is given twice is claimed once. */
async function claim(
  calls: readonly Call[],
  retrying: boolean,
  tx: EntityManager,
): Promise<Map<Call, Claim>> {
  const claims: Claim[] = await tx.query(claimSql, [
    calls.map(({ event }) => event.id),
    calls.map(keyOf),
    calls.map(({ event }) => aggregateOf(event)),
    retrying,
  ]);
  const seen = new Set<string>();
  const results = new Map<Call, Claim>();
  for (const [index, call] of calls.entries()) {
    const { claimed = false, waits = false } = claims[index] ?? {};
    // The same event may be in one batch twice.
    const receipt = `${call.event.id} ${keyOf(call)}`;
    results.set(call, { claimed: claimed && !seen.has(receipt), waits });
    seen.add(receipt);
  }
  return results;
}

/**
 * Holds off the next leader until the transaction ends.
 * @throws NotLeaderError when there is one; HandlerError when nothing can be committed
 */
async function requireTerm(term: Term, tx: EntityManager): Promise<void> {
  let rows: unknown[];
  try {
    rows = await tx.query('SELECT FROM event_leadership WHERE term = $1 FOR SHARE', [term]);
  } catch (error) {
    if (!isAborted(error)) throw error;
    throw new HandlerError(
      'A handler went on after one of its statements had failed, which aborts the transaction: let the error through, or use a savepoint.',
    );
  }
  if (rows.length === 0) throw new NotLeaderError();
}

function keyOf({ handler }: Call): string {
  return handler.key;
}

/** `<service>.<entity>:<id>` */
function aggregateOf({ type, aggregate_id }: EventEnvelope): string {
  return `${type.slice(0, type.lastIndexOf('.'))}:${aggregate_id}`;
}

/** PostgreSQL refuses the data, at the latest at the commit, so the same data will be refused again. */
function refusedData(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^2[23]/.test(code);
}

/** An earlier statement of the transaction failed. */
function isAborted(error: unknown): boolean {
  return (error as { code?: unknown }).code === '25P02';
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}

/** An error as one text, short enough to keep. PostgreSQL text cannot hold U+0000. */
export function describe(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.replaceAll('\0', '').slice(0, MAX_ERROR_LENGTH);
}
