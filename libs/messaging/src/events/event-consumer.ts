import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { EventEnvelope } from '@mentorhub/contracts';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ServiceMessagingOptions } from '../messaging.options.js';
import { header } from '../requests/headers.js';
import { SERVICE_MESSAGING_OPTIONS } from '../tokens.js';
import { EventHandlers } from './event-handlers.js';
import { EventStream, StreamAwaitedError } from './event-stream.js';
import { type Delivery, Inbox, type Outcome } from './inbox.js';
import { Wake } from './wake.js';

/** Events fetched ahead of the handlers. */
const PREFETCH = 256;
const RESTART_DELAY_MS = 500;

/**
 * Pulls the events of every service that this one listens to, and has them handled in the order in which each service
 * told them. Acknowledges after the commit; a crash in between means another delivery, which the inbox recognises.
 */
@Injectable()
export class EventConsumer {
  private readonly logger = new Logger(EventConsumer.name);
  private readonly batchSize: number;
  private readonly ackWaitMs: number;
  private queue: JsMsg[] = [];
  /** Delivered and not answered yet: queued or being handled. */
  private readonly held = new Set<JsMsg>();
  private readonly arrival = new Wake();
  /** Of each source, what ends the pause before its pull is set up anew. */
  private readonly restarts = new Map<string, Wake>();
  private readonly pulls = new Set<ConsumerMessages>();
  private running?: Promise<void>;
  private stopping = false;

  constructor(
    private readonly handlers: EventHandlers,
    private readonly stream: EventStream,
    private readonly inbox: Inbox,
    @Inject(SERVICE_MESSAGING_OPTIONS) options: ServiceMessagingOptions,
  ) {
    this.batchSize = options.eventBatchSize ?? 64;
    this.ackWaitMs = options.ackWaitMs ?? 10_000;
  }

  /** Begins to handle events; does nothing for a service without event handlers. */
  start(): void {
    if (this.running || this.handlers.subjects().length === 0) return;
    this.stopping = false;
    this.running = this.run();
  }

  /** Resolves once the batch in hand is committed and acknowledged; what was only fetched goes back at once. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.arrival.wake();
    for (const restart of this.restarts.values()) restart.wake();
    await Promise.all([...this.pulls].map((messages) => messages.close()));
    await this.running;
    this.running = undefined;
  }

  private async run(): Promise<void> {
    const heartbeat = setInterval(() => this.keepHeld(), this.ackWaitMs / 3);
    const pulling = Promise.all(
      [...bySource(this.handlers.subjects())].map(([source, subjects]) =>
        this.pull(source, subjects),
      ),
    );
    while (!this.stopping) {
      if (this.queue.length === 0) await this.arrival.wait();
      const batch = this.nextBatch();
      if (batch.length > 0) await this.handle(batch);
    }
    await pulling;
    clearInterval(heartbeat);
    for (const message of this.held) message.nak();
    this.held.clear();
    this.queue = [];
  }

  /** Keeps one pull going and provisions anew whenever the stream or the consumer has vanished. */
  private async pull(source: string, subjects: readonly string[]): Promise<void> {
    const restart = new Wake();
    this.restarts.set(source, restart);
    let failing = false;
    while (!this.stopping) {
      try {
        const consumer = await this.stream.consumer(source, subjects);
        const messages = await consumer.consume({
          max_messages: PREFETCH,
          abort_on_missing_resource: true,
          callback: (message) => this.receive(message),
        });
        this.pulls.add(messages);
        // Stopped while it was set up.
        if (this.isStopping()) await messages.close();
        failing = false;
        const error = await messages.closed();
        this.pulls.delete(messages);
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

  private isStopping(): boolean {
    return this.stopping;
  }

  private receive(message: JsMsg): void {
    if (this.handlers.of(message.subject).length === 0) {
      message.ack(); // its filter is wider than what is handled here
      return;
    }
    this.held.add(message);
    this.queue.push(message);
    this.arrival.wake();
  }

  /** Up to a batch; an event that failed before comes alone, so that it cannot spoil a batch again. */
  private nextBatch(): JsMsg[] {
    const again = this.queue.findIndex((message) => message.redelivered);
    const upTo = again === -1 ? this.batchSize : Math.max(1, Math.min(again, this.batchSize));
    return this.queue.splice(0, upTo);
  }

  private async handle(batch: JsMsg[]): Promise<void> {
    const deliveries: Delivery[] = [];
    const owners: JsMsg[] = [];
    for (const message of batch) {
      const event = parse(message);
      if (!event) {
        // Only this library publishes on these subjects, so this is a bug or an intruder, and no retry helps.
        this.logger.error(`an event on ${message.subject} is no event: sequence ${message.seq}`);
        message.term('not an event');
        this.held.delete(message);
        continue;
      }
      const traceparent = message.headers?.get(header.traceparent) || event.trace;
      for (const handler of this.handlers.of(message.subject)) {
        deliveries.push({ event, handler, sequence: message.seq, traceparent });
        owners.push(message);
      }
    }
    const outcomes = await this.inbox.handle(deliveries);
    const delays = new Map<JsMsg, number | undefined>();
    for (const [index, message] of owners.entries()) {
      const delay = delayOf(outcomes[index]);
      const known = delays.get(message);
      delays.set(message, Math.min(known ?? Infinity, delay ?? Infinity));
    }
    for (const [message, delay = Infinity] of delays) {
      if (delay === Infinity) message.ack();
      else message.nak(delay);
      this.held.delete(message);
    }
  }

  /** What waits in this process longer than `ack_wait` must not be delivered a second time. */
  private keepHeld(): void {
    for (const message of this.held) message.working();
  }
}

/** Event subjects, `event.<service>.…`, by the service that tells them. */
function bySource(subjects: readonly string[]): Map<string, string[]> {
  const sources = new Map<string, string[]>();
  for (const subject of subjects) {
    const [, source = ''] = subject.split('.');
    sources.set(source, [...(sources.get(source) ?? []), subject]);
  }
  return sources;
}

function delayOf(outcome: Outcome | undefined): number | undefined {
  return outcome?.status === 'later' ? outcome.delayMs : undefined;
}

function parse(message: JsMsg): EventEnvelope | undefined {
  try {
    const event = message.json<Partial<EventEnvelope>>();
    const { id, type, aggregate_id, occurred_at } = event;
    const whole = [id, type, aggregate_id, occurred_at].every((value) => typeof value === 'string');
    return whole ? (event as EventEnvelope) : undefined;
  } catch {
    return undefined;
  }
}
