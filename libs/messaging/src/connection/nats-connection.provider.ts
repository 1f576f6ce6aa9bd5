import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import {
  AuthorizationError,
  connect,
  type ConnectionOptions,
  InvalidArgumentError,
  type NatsConnection,
  PermissionViolationError,
  type PublishOptions,
} from '@nats-io/transport-node';
import type { MessagingOptions } from '../messaging.options.js';
import { natsConnected } from '../metrics.js';
import { NATS_CONNECTION } from '../tokens.js';
import { encryptionProblem, securityOptions } from './connection-security.js';

const RECONNECT_WAIT_MS = 250;
const RECONNECT_JITTER_MS = 250;
/** A connection that is silent for this long twice in a row is replaced. */
const PING_INTERVAL_MS = 10_000;

/** What the subjects of all inboxes begin with. */
export const INBOXES = '_INBOX.';

/** Prefix of an app's reply inboxes; its NATS user may subscribe to no other. */
export function inboxPrefix(app: string): string {
  return `${INBOXES}${app}`;
}

/**
 * Connects an app to NATS. The connection repairs itself for as long as the process lives.
 * @throws the last reason when no server answers within `connectTimeoutMs`; wrong credentials throw at once.
 */
export async function connectNats(options: MessagingOptions): Promise<NatsConnection> {
  const { service, connection, connectTimeoutMs = 30_000 } = options;
  const settings: ConnectionOptions = {
    servers: connection.servers,
    ...securityOptions(connection),
    name: service,
    inboxPrefix: inboxPrefix(service),
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    reconnectJitter: RECONNECT_JITTER_MS,
    reconnectJitterTLS: RECONNECT_JITTER_MS,
    pingInterval: PING_INTERVAL_MS,
    ignoreAuthErrorAbort: true,
    // A stack for every request costs more than the request.
    noAsyncTraces: true,
  };
  const logger = new Logger('Nats');
  const addresses = [connection.servers].flat().map(withoutCredentials).join(', ');
  const giveUpAt = Date.now() + connectTimeoutMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect(settings);
    } catch (error) {
      if (error instanceof AuthorizationError) throw error;
      const reason = encryptionProblem(error) ?? reasonOf(error);
      if (Date.now() >= giveUpAt) {
        throw new Error(`NATS at ${addresses} cannot be used: ${reason}`, { cause: error });
      }
      if (attempt === 1) logger.warn(`waiting for NATS at ${addresses}: ${reason}`);
      await delay(RECONNECT_WAIT_MS + Math.random() * RECONNECT_JITTER_MS);
    }
  }
}

function withoutCredentials(address: string): string {
  return address.replace(/\/\/.*@/, '//');
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a server takes unless it says otherwise. */
const DEFAULT_MAX_PAYLOAD = 1024 * 1024;

type ConnectionListener = (connected: boolean) => void;
type DenialListener = (subject: string) => void;

/** Bytes from which on a message has a write of its own. */
const WORTH_A_WRITE = 16_384;

interface Publication {
  subject: string;
  payload: Uint8Array;
  options?: PublishOptions;
}

/** The process's NATS connection and whether it is up. */
@Injectable()
export class NatsConnectionProvider implements OnApplicationShutdown {
  private readonly logger = new Logger('Nats');
  private readonly listeners = new Set<ConnectionListener>();
  private readonly denialListeners = new Set<DenialListener>();
  private connected = true;
  private outgoing: Publication[] = [];

  constructor(@Inject(NATS_CONNECTION) readonly connection: NatsConnection) {
    natsConnected.set(1);
    void this.watch();
  }

  /** Whether requests can be sent right now. */
  health(): { connected: boolean } {
    return { connected: this.connected && !this.connection.isClosed() };
  }

  /**
   * Publishes with whatever else the current turn of the event loop publishes: one write for all of them. A write per
   * message is what a loaded process would spend most of its time on. What is large is worth a write and does not wait.
   * @throws InvalidArgumentError at once when the payload exceeds what the server takes
   */
  publish(subject: string, payload: string | Uint8Array, options?: PublishOptions): void {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const limit = this.connection.info?.max_payload ?? DEFAULT_MAX_PAYLOAD;
    if (bytes.length > limit) {
      throw InvalidArgumentError.format('payload', `exceeds the ${limit} bytes of a message`);
    }
    const waiting = this.outgoing.push({ subject, payload: bytes, options });
    if (bytes.length >= WORTH_A_WRITE) this.send();
    else if (waiting === 1) setImmediate(() => this.send());
  }

  private send(): void {
    const publications = this.outgoing;
    this.outgoing = [];
    for (const { subject, payload, options } of publications) {
      try {
        this.connection.publish(subject, payload, options);
      } catch (error) {
        // Closed meanwhile, or headers over the limit: the sender of a request learns it by its deadline.
        this.logger.error(`could not publish on ${subject}: ${String(error)}`);
      }
    }
  }

  /** Calls `listener` whenever the connection is lost or back; returns the way to stop that. */
  onChange(listener: ConnectionListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Calls `listener` whenever NATS refuses a message because its user may not publish on the subject. */
  onDenied(listener: DenialListener): void {
    this.denialListeners.add(listener);
  }

  /** Last of all: requests, events and the outbox have finished by now. */
  async onApplicationShutdown(): Promise<void> {
    this.send();
    if (!this.health().connected) await this.connection.close();
    else if (!this.connection.isDraining()) await this.connection.drain();
  }

  private async watch(): Promise<void> {
    for await (const status of this.connection.status()) {
      switch (status.type) {
        case 'disconnect':
          this.logger.warn(`connection lost: ${status.server}`);
          this.change(false);
          break;
        case 'reconnect':
          this.logger.log(`connected again: ${status.server}`);
          this.change(true);
          break;
        case 'staleConnection':
        case 'slowConsumer':
        case 'ldm':
          this.logger.warn(`connection: ${status.type}`);
          break;
        case 'error':
          this.logger.error(status.error);
          this.reportDenial(status.error);
          break;
        case 'close':
        case 'forceReconnect':
        case 'ping':
        case 'reconnecting':
        case 'update':
          break;
      }
    }
    this.change(false);
  }

  private reportDenial(error: Error): void {
    if (!(error instanceof PermissionViolationError) || error.operation !== 'publish') return;
    for (const listener of this.denialListeners) listener(error.subject);
  }

  private change(connected: boolean): void {
    if (this.connected === connected) return;
    this.connected = connected;
    natsConnected.set(connected ? 1 : 0);
    for (const listener of this.listeners) listener(connected);
  }
}
