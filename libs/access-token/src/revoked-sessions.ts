import {
  ApplicationError,
  type RevokedSession,
  Sessions,
  sessionRevokedSignal,
} from '@mentorhub/contracts';
import {
  NatsConnectionProvider,
  RequestClient,
  Signals,
  type SignalSubscription,
} from '@mentorhub/messaging/client';
import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';

const refreshMs = 60_000;
const retryMs = 250;

export type RevocationListener = (sessionId: number) => void;

/**
 * The sessions that were ended before their access tokens expired. Kept by identity's signals; the whole list is
 * fetched at start, whenever NATS is back, and every minute, so that a missed signal matters for a minute at most.
 */
@Injectable()
export class RevokedSessions implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(RevokedSessions.name);
  /** Session id to the time it may be forgotten, in unix milliseconds. */
  private readonly sessions = new Map<number, number>();
  private readonly listeners = new Set<RevocationListener>();
  private isLoaded = false;
  private timer?: NodeJS.Timeout;
  private loading?: Promise<void>;
  private subscription?: SignalSubscription;
  private stopWatching?: () => void;

  constructor(
    private readonly client: RequestClient,
    private readonly signals: Signals,
    private readonly nats: NatsConnectionProvider,
  ) {}

  /** Does not wait for identity: until it has answered, `has` throws. */
  onModuleInit(): void {
    // First the signals, so that nothing falls between them and the list.
    this.subscription = this.signals.subscribe(sessionRevokedSignal, (session) =>
      this.add(session),
    );
    this.stopWatching = this.nats.onChange((connected) => {
      if (connected) void this.refresh();
    });
    void this.refresh();
  }

  onApplicationShutdown(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.stopWatching?.();
    this.stopWatching = undefined;
    this.subscription?.unsubscribe();
  }

  /** Whether the list has been fetched since the start. */
  get loaded(): boolean {
    return this.isLoaded;
  }

  /** For readiness. @throws ApplicationError SERVICE_UNAVAILABLE while no sign-in can be checked */
  check(): void {
    if (this.isLoaded) return;
    throw new ApplicationError(
      'SERVICE_UNAVAILABLE',
      'Sign-ins cannot be checked right now. Try again in a moment.',
      { retryAfterSeconds: 1 },
    );
  }

  /**
   * Whether a session was ended.
   * @throws ApplicationError SERVICE_UNAVAILABLE while that cannot be known
   */
  has(sessionId: number): boolean {
    this.check();
    return this.sessions.has(sessionId);
  }

  /** Calls `listener` once for every session that turns out to be ended; returns the way to stop that. */
  onRevoked(listener: RevocationListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Fetches the list now. Never fails: what is known stays, and the next try follows. */
  refresh(): Promise<void> {
    this.loading ??= this.load().finally(() => {
      this.loading = undefined;
    });
    return this.loading;
  }

  private async load(): Promise<void> {
    clearTimeout(this.timer);
    let next = refreshMs;
    try {
      const { sessions } = await this.client.request(Sessions.revoked, undefined, {});
      for (const session of sessions) this.add(session);
      this.forgetExpired();
      if (!this.isLoaded) this.logger.log('The list of ended sessions is loaded.');
      this.isLoaded = true;
    } catch (error) {
      next = retryMs;
      const reason = error instanceof ApplicationError ? error.code : String(error);
      this.logger.debug(`The list of ended sessions could not be fetched: ${reason}`);
    }
    // Closed meanwhile.
    if (!this.stopWatching) return;
    this.timer = setTimeout(() => void this.refresh(), next);
    this.timer.unref();
  }

  private add({ session_id, forget_at }: RevokedSession): void {
    const known = this.sessions.has(session_id);
    this.sessions.set(session_id, forget_at * 1000);
    if (known) return;
    for (const listener of this.listeners) {
      try {
        listener(session_id);
      } catch (error) {
        this.logger.error('A listener to ended sessions failed.', error);
      }
    }
  }

  private forgetExpired(): void {
    const now = Date.now();
    for (const [id, forgetAt] of this.sessions) if (forgetAt < now) this.sessions.delete(id);
  }
}
