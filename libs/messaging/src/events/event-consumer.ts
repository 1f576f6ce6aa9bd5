import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { EventEnvelope } from '@mentorhub/contracts';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ServiceMessagingOptions } from '../messaging.options.js';
import { header } from '../requests/headers.js';
import { SERVICE_MESSAGING_OPTIONS } from '../tokens.js';
import { EventHandlers } from './event-handlers.js';
import { EventStream, StreamAwaitedError } from './event-stream.js';
import { type Delivery, Inbox } from './inbox.js';
import { NotLeaderError, type Term } from './leader-lock.js';
import { Wake } from './wake.js';

/** Events that one request to the stream asks for; how many wait here is up to the limits of the consumer and of bytes. */
const PREFETCH = 256;
/** Bytes of the events of one source that wait here; the one that exceeds them is the last. */
const WAITING_BYTES = 8 * 1024 ** 2;
/**
 * A pull ends without a word when the server that serves it is gone or no longer leads its consumer. It is repeated when two
 * heartbeats are missed; and when the new leader is not elected by then, after about as long as a pull lasts.
 */
const PULL_MS = 5000;
const HEARTBEAT_MS = 2000;
const RESTART_DELAY_MS = 500;
const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** How long the handlers pause when the database does not answer. */
const INTERRUPTION_PAUSE_MS = 500;
/** The retries are looked at this often although none is known to be due. */
const RETRY_CHECK_MS = 60_000;

/**
 * Pulls the events of every service that this one listens to, and has them handled in the order in which each service
 * published them, between them those that are due for a retry. Acknowledges after the commit; a crash in between means
 * another delivery, which the inbox recognises.
 */
@Injectable()
export class EventConsumer {
  private readonly logger = new Logger(EventConsumer.name);
  private readonly batchSize: number;
  private readonly ackWaitMs: number;
  private queue: JsMsg[] = [];
  /** Delivered and not acknowledged yet: queued or being handled. */
  private readonly unacknowledged = new Set<JsMsg>();
  /** Of each source, the bytes of its events in `unacknowledged`. */
  private readonly waitingBytes = new Map<string, number>();
  /** Sources whose pull is closed until what waits of them is handled. */
  private readonly full = new Set<string>();
  private readonly arrival = new Wake();
  private readonly pause = new Wake();
  /** Of each source, what ends the pause before its pull is set up anew. */
  private readonly restarts = new Map<string, Wake>();
  private readonly pulls = new Set<ConsumerMessages>();
  private running?: Promise<void>;
  private stopping = false;
  private retryAt = 0;

  constructor(
    private readonly handlers: EventHandlers,
    private readonly stream: EventStream,
    private readonly inbox: Inbox,
    @Inject(SERVICE_MESSAGING_OPTIONS) options: ServiceMessagingOptions,
  ) {
    this.batchSize = options.eventBatchSize ?? 64;
    this.ackWaitMs = options.ackWaitMs ?? 10_000;
  }

  /**
   * Begins to handle events; does nothing for a service without event handlers.
   * @param onReplaced another process handles them now
   */
  start(term: Term, onReplaced: (error: Error) => void): void {
    if (this.running || this.handlers.subjects().length === 0) return;
    this.stopping = false;
    this.retryAt = 0;
    this.running = this.run(term, onReplaced);
  }

  /** Gives back at once what was only fetched; resolves when the batch in hand is handled. */
  async stop(): Promise<void> {
    this.halt(this.queue);
    await this.running;
    this.running = undefined;
  }

  /**
   * Gives back at once all that is not acknowledged, the batch in hand included: another process is about to handle it,
   * and only one of the two can commit. Resolves when this process is done with the batch.
   */
  async abort(): Promise<void> {
    this.halt(this.unacknowledged);
    await this.running;
    this.running = undefined;
  }

  private halt(returned: Iterable<JsMsg>): void {
    this.stopping = true;
    // Closed first, so that what is given back is not delivered here again.
    for (const messages of this.pulls) void messages.close();
    for (const message of returned) {
      if (this.release(message)) message.nak();
    }
    this.queue = [];
    this.arrival.wake();
    this.pause.wake();
    for (const restart of this.restarts.values()) restart.wake();
  }

  private async run(term: Term, onReplaced: (error: Error) => void): Promise<void> {
    const heartbeat = setInterval(() => this.keepUnacknowledged(), this.ackWaitMs / 3);
    const pulling = Promise.all(
      [...sourcesOf(this.handlers.subjects())].map((source) => this.pull(source)),
    );
    let interrupted = false;
    while (!this.stopping) {
      const untilRetryMs = this.retryAt - Date.now();
      if (this.queue.length === 0 && untilRetryMs > 0) await this.arrival.wait(untilRetryMs);
      if (this.isStopping()) break;
      try {
        if (Date.now() >= this.retryAt) await this.retry(term);
        await this.handle(this.queue.splice(0, this.batchSize), term);
        interrupted = false;
      } catch (error) {
        if (error instanceof NotLeaderError) {
          this.halt(this.unacknowledged);
          onReplaced(error);
          break;
        }
        if (!interrupted) this.logger.warn(`the handlers of events pause: ${String(error)}`);
        interrupted = true;
        await this.pause.wait(INTERRUPTION_PAUSE_MS);
      }
    }
    clearInterval(heartbeat);
    this.halt(this.unacknowledged);
    await pulling;
  }

  /** Keeps one pull going and provisions anew whenever the stream or the consumer has vanished. */
  private async pull(source: string): Promise<void> {
    const restart = new Wake();
    this.restarts.set(source, restart);
    let failing = false;
    while (!this.stopping) {
      try {
        const consumer = await this.stream.consumer(source);
        this.forget(source);
        let delivered = 0;
        const messages: ConsumerMessages = await consumer.consume({
          max_messages: PREFETCH,
          expires: PULL_MS,
          idle_heartbeat: HEARTBEAT_MS,
          abort_on_missing_resource: true,
          callback: (message) => {
            // What was on its way when the pull was closed comes again.
            if (this.full.has(source)) return;
            const { deliverySequence } = message.info;
            if (delivered > 0 && deliverySequence !== delivered + 1) {
              // A delivery was lost with a connection: begin anew with it rather than pass it.
              void messages.close();
              return;
            }
            delivered = deliverySequence;
            this.receive(message, source);
            if ((this.waitingBytes.get(source) ?? 0) >= WAITING_BYTES) {
              this.full.add(source);
              void messages.close();
            }
          },
        });
        this.pulls.add(messages);
        // Stopped while it was set up.
        if (this.isStopping()) await messages.close();
        failing = false;
        const error = await messages.closed();
        this.pulls.delete(messages);
        if (this.full.has(source)) {
          await this.handled(source, restart);
          continue;
        }
        if (error && !this.isStopping()) {
          this.logger.warn(
            `the consumer of ${source} is gone, provisioning it again: ${error.message}`,
          );
        }
      } catch (error) {
        const awaited = error instanceof StreamAwaitedError;
        if (!failing && !awaited) {
          this.logger.warn(`cannot consume events of ${source} yet: ${String(error)}`);
        }
        failing = !awaited;
      }
      if (!this.isStopping()) await restart.wait(RESTART_DELAY_MS);
    }
  }

  /** Resolves when nothing of a source waits any more, or this process stops. */
  private async handled(source: string, restart: Wake): Promise<void> {
    while ((this.waitingBytes.get(source) ?? 0) > 0 && !this.isStopping()) await restart.wait();
    this.full.delete(source);
  }

  /** Drops what was fetched from a source and is not in hand: its consumer begins with that again. */
  private forget(source: string): void {
    this.queue = this.queue.filter((message) => {
      const other = sourceOf(message.subject) !== source;
      if (!other) this.release(message);
      return other;
    });
  }

  private isStopping(): boolean {
    return this.stopping;
  }

  private receive(message: JsMsg, source: string): void {
    if (this.stopping) {
      message.nak();
      return;
    }
    this.unacknowledged.add(message);
    this.waitingBytes.set(source, (this.waitingBytes.get(source) ?? 0) + message.data.length);
    this.queue.push(message);
    this.arrival.wake();
  }

  /** No longer to be acknowledged here. @returns whether it still was */
  private release(message: JsMsg): boolean {
    if (!this.unacknowledged.delete(message)) return false;
    const source = sourceOf(message.subject);
    const bytes = (this.waitingBytes.get(source) ?? 0) - message.data.length;
    this.waitingBytes.set(source, bytes);
    if (bytes === 0 && this.full.has(source)) this.restarts.get(source)?.wake();
    return true;
  }

  private async retry(term: Term): Promise<void> {
    const nextMs = await this.inbox.retry(term);
    this.retryAt = Date.now() + Math.min(nextMs ?? RETRY_CHECK_MS, RETRY_CHECK_MS);
  }

  /** Handles messages; when that is interrupted, they are the first again, as their order counts. */
  private async handle(batch: readonly JsMsg[], term: Term): Promise<void> {
    if (batch.length === 0) return;
    const deliveries: Delivery[] = [];
    for (const message of batch) {
      const event = parse(message);
      if (event) {
        const traceparent = message.headers?.get(header.traceparent) || event.trace;
        deliveries.push({ event, subject: message.subject, traceparent });
      } else {
        // Only this library publishes on these subjects, so this is a bug or an intruder, and no retry helps.
        this.logger.error(`an event on ${message.subject} is no event: sequence ${message.seq}`);
        message.term('not an event');
        this.release(message);
      }
    }
    try {
      if (await this.inbox.handle(deliveries, term)) this.retryAt = 0;
    } catch (error) {
      this.queue.unshift(...batch.filter((message) => this.unacknowledged.has(message)));
      throw error;
    }
    for (const message of batch) {
      if (this.release(message)) message.ack();
    }
  }

  /** What waits in this process longer than `ack_wait` must not be delivered a second time. */
  private keepUnacknowledged(): void {
    for (const message of this.unacknowledged) message.working();
  }
}

/** The services that publish these subjects, `event.<service>.…`. */
function sourcesOf(subjects: readonly string[]): Set<string> {
  return new Set(subjects.map(sourceOf));
}

function sourceOf(subject: string): string {
  const [, source = ''] = subject.split('.');
  return source;
}

function parse(message: JsMsg): EventEnvelope | undefined {
  try {
    const event = message.json<Partial<EventEnvelope>>();
    const { id, type, aggregate_id, occurred_at } = event;
    const whole =
      [type, aggregate_id].every(isStorable) &&
      isStorable(id) &&
      UUID.test(id) &&
      typeof occurred_at === 'string' &&
      !Number.isNaN(Date.parse(occurred_at));
    return whole ? (event as EventEnvelope) : undefined;
  } catch {
    return undefined;
  }
}

/** Text that PostgreSQL can hold. */
function isStorable(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('\0');
}
