import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Client } from 'pg';
import { NatsConnectionProvider } from '../connection/nats-connection.provider.js';
import type { ServiceMessagingOptions } from '../messaging.options.js';
import { eventsActive } from '../metrics.js';
import { SERVICE_MESSAGING_OPTIONS } from '../tokens.js';
import { EventConsumer } from './event-consumer.js';
import { OutboxRelay } from './outbox-relay.js';
import { type LeaderConnection, LeaderLock } from './leader-lock.js';
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
 * Relays and handles the events of a service in exactly one of its processes: the one that holds the leader lock. The
 * others ask for it every second and take over when its connection ends, by a shutdown or a crash.
 */
@Injectable()
export class EventWorker {
  private readonly logger = new Logger(EventWorker.name);
  private readonly pollMs: number;
  private readonly wake = new Wake();
  private running?: Promise<void>;
  private stopping = false;
  private leader = false;

  constructor(
    private readonly leaderLock: LeaderLock,
    private readonly relay: OutboxRelay,
    private readonly consumer: EventConsumer,
    nats: NatsConnectionProvider,
    @Inject(SERVICE_MESSAGING_OPTIONS) private readonly options: ServiceMessagingOptions,
  ) {
    this.pollMs = options.pollIntervalMs ?? 1000;
    nats.onChange(() => this.wake.wake());
  }

  /** Whether this process is the one that relays and handles events now. */
  get isLeader(): boolean {
    return this.leader;
  }

  start(): void {
    if (this.options.events === false) return;
    this.running ??= this.run();
  }

  /** Resolves once the batch in hand is handled, the outbox had a last pass and the leader lock is given back. */
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

  /** One connection's life: wait for the leader lock, then relay and handle until it is lost or this process stops. */
  private async serve(onConnected: () => void): Promise<void> {
    let lost: Error | undefined;
    const connection = await this.leaderLock.open({
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
      while (check() && !(await this.leaderLock.tryAcquire(connection)))
        await this.wake.wait(this.pollMs);
      if (this.stopping) return;
      this.setLeader(true);
      this.relay.suspectStream();
      this.consumer.start();
      await this.relay.announce(connection.client, 'asleep');
      await this.relayWhile(check, connection.client);
      await this.consumer.stop();
      await this.relay.pass(connection.client);
    } finally {
      await this.consumer.stop();
      this.setLeader(false);
      await endQuietly(connection);
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

  private setLeader(leader: boolean): void {
    this.leader = leader;
    eventsActive.set(leader ? 1 : 0);
    if (leader) this.logger.log('relaying and handling events');
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
async function endQuietly(connection: LeaderConnection): Promise<void> {
  try {
    await connection.end();
  } catch {
    // It is gone, which is what was wanted.
  }
}
