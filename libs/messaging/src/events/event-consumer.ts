import type { ConsumerMessages, JsMsg } from '@nats-io/jetstream';
import type { EventEnvelope } from '@mentorhub/contracts';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ServiceMessagingOptions } from '../messaging.options.js';
import { header } from '../requests/headers.js';
import { SERVICE_MESSAGING_OPTIONS } from '../tokens.js';
import { EventHandlers } from './event-handlers.js';
import { EventStream } from './event-stream.js';
import { type Delivery, Inbox, type Outcome } from './inbox.js';
import { Wake } from './wake.js';

/** Events fetched ahead of the handlers. */
const PREFETCH = 256;
const RESTART_DELAY_MS = 500;

/**
 * Pulls the service's events and has them handled in the order of the stream. Acknowledges after the commit; a crash
 * in between means another delivery, which the inbox recognises.
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
  private readonly restart = new Wake();
  private messages?: ConsumerMessages;
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
    this.restart.wake();
    await this.messages?.close();
    await this.running;
    this.running = undefined;
  }

  private async run(): Promise<void> {
    const heartbeat = setInterval(() => this.keepHeld(), this.ackWaitMs / 3);
    const pulling = this.pull();
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
  private async pull(): Promise<void> {
    let failing = false;
    while (!this.stopping) {
      try {
        const consumer = await this.stream.consumer(this.handlers.subjects());
        this.messages = await consumer.consume({
          max_messages: PREFETCH,
          abort_on_missing_resource: true,
          callback: (message) => this.receive(message),
        });
        // Stopped while it was set up.
        if (this.isStopping()) await this.messages.close();
        failing = false;
        const error = await this.messages.closed();
        if (error && !this.isStopping()) {
          this.logger.warn(`the consumer is gone, provisioning it again: ${error.message}`);
        }
      } catch (error) {
        if (!failing) this.logger.warn(`cannot consume events yet: ${String(error)}`);
        failing = true;
      }
      if (!this.isStopping()) await this.restart.wait(RESTART_DELAY_MS);
    }
  }

  private isStopping(): boolean {
    return this.stopping;
  }

  private receive(message: JsMsg): void {
    if (this.handlers.of(message.subject).length === 0) {
      message.ack(); // nats-server 2.9 delivers what nobody here handles
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
