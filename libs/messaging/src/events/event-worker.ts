import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Client } from 'pg';
import { NatsConnectionProvider } from '../connection/nats-connection.provider.js';
import type { ServiceMessagingOptions } from '../messaging.options.js';
import { eventsActive } from '../metrics.js';
import { SERVICE_MESSAGING_OPTIONS } from '../tokens.js';
import { EventConsumer } from './event-consumer.js';
import { OutboxRelay } from './outbox-relay.js';
import { type Lease, ServiceLease } from './service-lease.js';
import { Wake } from './wake.js';

const RECONNECT_MS = 500;
/** Waits between passes while writers need not wake the relay. */
const AWAKE_WAITS_MS = [5, 10];
/**
 * From this many events a second on, they are gathered for longer: what is published together is also handled
 * together, and a transaction costs everybody more than the event in it.
 */
const BUSY_FROM_PER_SECOND = 100;
const GATHER_MS = 100;
const RATE_WINDOW_MS = 250;
const FIRST_SLEEP_MS = 20;
const MAX_DOUBLINGS = 10;

/**
 * Relays and handles the events of a service in exactly one of its processes: the one that holds the lease. The
 * others ask for it every second and take over when its connection ends, by a shutdown or a crash.
 */
@Injectable()
export class EventWorker {
  private readonly logger = new Logger(EventWorker.name);
  private readonly pollMs: number;
  private readonly wake = new Wake();
  private running?: Promise<void>;
  private stopping = false;
  private holding = false;

  constructor(
    private readonly lease: ServiceLease,
    private readonly relay: OutboxRelay,
    private readonly consumer: EventConsumer,
    nats: NatsConnectionProvider,
    @Inject(SERVICE_MESSAGING_OPTIONS) private readonly options: ServiceMessagingOptions,
  ) {
    this.pollMs = options.pollIntervalMs ?? 1000;
    nats.onChange(() => this.wake.wake());
  }

  /** Whether this process is the one that relays and handles events now. */
  get active(): boolean {
    return this.holding;
  }

  start(): void {
    if (this.options.events === false) return;
    this.running ??= this.run();
  }

  /** Resolves once the batch in hand is handled, the outbox had a last pass and the lease is given back. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.wake.wake();
    await this.running;
  }

  private async run(): Promise<void> {
    let failing = false;
    while (!this.stopping) {
      try {
        await this.serve(() => {
          failing = false;
        });
      } catch (error) {
        if (!failing) this.logger.warn(`events pause: ${String(error)}`);
        failing = true;
      }
      if (!this.isStopping()) await this.wake.wait(RECONNECT_MS);
    }
  }

  private isStopping(): boolean {
    return this.stopping;
  }

  /** One connection's life: wait for the lease, then relay and handle until it is lost or this process stops. */
  private async serve(onConnected: () => void): Promise<void> {
    let lost: Error | undefined;
    const lease = await this.lease.open({
      onOutbox: () => this.wake.wake(),
      onLost: (error) => {
        lost = error;
        this.wake.wake();
      },
    });
    const check = (): boolean => {
      if (lost) throw lost;
      return !this.stopping;
    };
    try {
      onConnected();
      while (check() && !(await this.lease.tryAcquire(lease))) await this.wake.wait(this.pollMs);
      if (this.stopping) return;
      this.setHolding(true);
      this.relay.suspectStream();
      this.consumer.start();
      await this.relay.announce(lease.client, 'asleep');
      await this.relayWhile(check, lease.client);
      await this.consumer.stop();
      await this.relay.pass(lease.client);
    } finally {
      await this.consumer.stop();
      this.setHolding(false);
      await endQuietly(lease);
    }
  }

  /**
   * Passes again and again. After the last events the relay looks a few more times by itself, then announces that it
   * sleeps. A writer that read "awake" just before that and commits just after it wakes nobody, so the sleep begins
   * short and doubles: what is late by some time is found within twice that time.
   */
  private async relayWhile(check: () => boolean, client: Client): Promise<void> {
    let asleep = true;
    let idlePasses = AWAKE_WAITS_MS.length;
    const rate = new Rate();
    while (check()) {
      const { published, more } = await this.relay.pass(client);
      rate.add(published);
      if (more) continue;
      if (published > 0) {
        if (asleep) await this.relay.announce(client, 'awake');
        asleep = false;
        idlePasses = 0;
      }
      const awakeWaitMs = AWAKE_WAITS_MS[idlePasses];
      if (rate.perSecond >= BUSY_FROM_PER_SECOND) {
        await this.relay.clean(client);
        await this.wake.wait(GATHER_MS);
      } else if (awakeWaitMs !== undefined) {
        await this.wake.wait(awakeWaitMs);
      } else if (!asleep) {
        await this.relay.announce(client, 'asleep');
        asleep = true;
        continue; // looks once more, now that the writers know
      } else {
        await this.relay.clean(client);
        const doublings = Math.min(idlePasses - AWAKE_WAITS_MS.length, MAX_DOUBLINGS);
        await this.wake.wait(Math.min(FIRST_SLEEP_MS * 2 ** doublings, this.pollMs));
      }
      idlePasses++;
    }
  }

  private setHolding(holding: boolean): void {
    this.holding = holding;
    eventsActive.set(holding ? 1 : 0);
    if (holding) this.logger.log('relaying and handling events');
  }
}

/** How many events a second there were of late. */
class Rate {
  perSecond = 0;
  private count = 0;
  private since = performance.now();

  add(events: number): void {
    this.count += events;
    const elapsedMs = performance.now() - this.since;
    if (elapsedMs < RATE_WINDOW_MS) return;
    this.perSecond = (this.count * 1000) / elapsedMs;
    this.count = 0;
    this.since += elapsedMs;
  }
}

/** Ending a connection that is already gone is no failure. */
async function endQuietly(lease: Lease): Promise<void> {
  try {
    await lease.end();
  } catch {
    // It is gone, which is what was wanted.
  }
}
