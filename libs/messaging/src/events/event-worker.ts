import { Inject, Injectable, Logger } from '@nestjs/common';
import { NatsConnectionProvider } from '../connection/nats-connection.provider.js';
import type { ServiceMessagingOptions } from '../messaging.options.js';
import { SERVICE_MESSAGING_OPTIONS } from '../tokens.js';
import { EventConsumer } from './event-consumer.js';
import { EventProcesses } from './event-processes.js';
import { LeaderLock } from './leader-lock.js';
import { eventsActive } from './metrics.js';
import { OutboxRelay } from './outbox-relay.js';
import { RelayPace } from './relay-pace.js';
import { Wake } from './wake.js';

const RECONNECT_MS = 500;

/**
 * Relays and handles the events of a service in exactly one of its processes, the leader. The others try to get its
 * lock every second and take over when its connection ends, by a shutdown or a crash.
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
    private readonly processes: EventProcesses,
    private readonly relay: OutboxRelay,
    private readonly consumer: EventConsumer,
    nats: NatsConnectionProvider,
    @Inject(SERVICE_MESSAGING_OPTIONS) private readonly options: ServiceMessagingOptions,
  ) {
    this.pollMs = options.pollIntervalMs ?? 1000;
    nats.onChange(() => this.wake.wake());
  }

  /** Whether this process relays and handles events now. */
  get isLeader(): boolean {
    return this.leader;
  }

  start(): void {
    if (this.options.events === false) return;
    this.running ??= this.run();
  }

  /** Resolves once the batch in hand is handled, the outbox had a last pass and the leader lock is released. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.wake.wake();
    await this.running;
    if (this.running) await this.processes.leave().catch(() => undefined);
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
        this.relay.notePause();
      }
      if (!this.isStopping()) await this.wake.wait(RECONNECT_MS);
    }
  }

  private isStopping(): boolean {
    return this.stopping;
  }

  /** One connection's life: wait for the leader lock, then relay and handle until it is lost or this process stops. */
  private async serve(onConnected: () => void): Promise<void> {
    const lost = new AbortController();
    const lose = (error: Error): void => {
      if (lost.signal.aborted) return;
      lost.abort(error);
      // At once, whatever the relay is waiting for: another process may begin any moment.
      this.setLeader(false);
      void this.consumer.abort();
      this.wake.wake();
    };
    const check = (): boolean => {
      lost.signal.throwIfAborted();
      return !this.stopping;
    };
    await this.processes.join();
    const connection = await this.leaderLock.open(lose);
    const watch = setInterval(() => void this.yieldToNewer(lose), this.pollMs);
    try {
      onConnected();
      while (check() && !((await this.processes.mayLead()) && (await connection.tryAcquire()))) {
        this.relay.standBy();
        await this.wake.wait(this.pollMs);
      }
      if (this.stopping) return;
      const term = await connection.beginTerm();
      // A newer process that joined before the term began did not end it.
      if (!check() || !(await this.processes.mayLead())) return;
      this.setLeader(true);
      this.relay.suspectStream();
      this.consumer.start(term, lose);
      const hasUnpublished = (): Promise<boolean> => connection.hasUnpublished();
      const pace = new RelayPace();
      while (check()) {
        const pass = await this.relay.pass(term, lost.signal, hasUnpublished);
        pace.note(pass.published);
        if (pass.more) continue;
        await this.relay.clean();
        await this.wake.wait(pass.failed ? this.pollMs : pace.waitMs);
      }
      await this.consumer.stop();
      await this.relay.pass(term, lost.signal, hasUnpublished);
    } finally {
      clearInterval(watch);
      await this.consumer.abort();
      this.setLeader(false);
      // A connection that is gone already has released the lock.
      await connection.end().catch(() => undefined);
    }
  }

  /** While versions run side by side, the newest leads. */
  private async yieldToNewer(lose: (error: Error) => void): Promise<void> {
    try {
      if (!this.leader || (await this.processes.mayLead())) return;
      lose(new Error('a newer version of this service relays and handles its events'));
    } catch {
      // What PostgreSQL has against the question ends the term by other ways.
    }
  }

  private setLeader(leader: boolean): void {
    if (leader === this.leader) return;
    this.leader = leader;
    eventsActive.set(leader ? 1 : 0);
    if (leader) this.logger.log('relaying and handling events');
  }
}
