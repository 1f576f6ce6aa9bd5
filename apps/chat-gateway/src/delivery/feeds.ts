import {
  type Caller,
  EventLog,
  type LogCursor,
  type LogPosition,
  type LogSlice,
  messagesStored,
  type SignalledMessage,
  userFrame,
} from '@mentorhub/contracts';
import {
  NatsConnectionProvider,
  RequestClient,
  Signals,
  type SignalSubscription,
} from '@mentorhub/messaging/client';
import { CONFIG, Limiter } from '@mentorhub/service-kit';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import type { ChatGatewayConfig } from '../config.js';
import type { Connection } from './connection.js';
import { TokenBucket } from '../limits/token-bucket.js';
import { gapsFilled } from '../metrics.js';
import { PresenceReporter } from '../presence/presence-reporter.js';
import { UserFeed } from './user-feed.js';

/** Signals of two replicas of chat may overtake each other; only what is missing for longer was lost. */
const gapGraceMs = 50;
const gapRetryMs = 1000;
/** After NATS was away all gateways have gaps at once: they start at different moments. */
const reconnectSpreadMs = 500;
const gapsAtOnce = 8;
const pageSize = 200;
/** Of a replay: a slow reader may leave so much and one page more in memory. */
const replayPageBytes = 131_072;
const headsAtOnce = 1000;

interface Entry {
  readonly feed: UserFeed;
  readonly subscription: SignalSubscription;
}

/** The feeds of all users with a socket here. */
@Injectable()
export class Feeds implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(Feeds.name);
  private readonly entries = new Map<number, Entry>();
  private readonly withGaps = new Set<UserFeed>();
  private readonly filling = new Set<UserFeed>();
  private gapTimer: NodeJS.Timeout | undefined;
  private reconnectTimer: NodeJS.Timeout | undefined;
  private comparing = false;
  private compareAgain = false;
  /** By user, and kept when the sockets close: a new connection for each resume does not get around the limit. */
  private readonly resumes = new Map<number, TokenBucket>();
  private readonly gapFills = new Limiter<number>({ total: gapsAtOnce, perKey: 1 });
  private readonly replays: Limiter<number>;
  private readonly unwatch: () => void;
  private messages: SignalSubscription | undefined;

  constructor(
    private readonly requests: RequestClient,
    private readonly signals: Signals,
    private readonly presence: PresenceReporter,
    @Inject(CONFIG) private readonly config: ChatGatewayConfig,
    nats: NatsConnectionProvider,
  ) {
    this.replays = new Limiter({ total: config.WS_RESUMES_AT_ONCE, perKey: 1 });
    // Signals that were sent meanwhile are lost.
    this.unwatch = nats.onChange((connected) => {
      clearTimeout(this.reconnectTimer);
      if (!connected) return;
      this.reconnectTimer = setTimeout(
        () => void this.compareHeads(),
        Math.random() * reconnectSpreadMs,
      );
    });
  }

  onModuleInit(): void {
    this.messages = this.signals.subscribe(messagesStored, ({ messages }) => {
      for (const message of messages) this.deliver(message);
    });
  }

  /**
   * Lets a socket follow its user's log, and resolves to where it starts. Listens first and asks for the end of the
   * log second, so that nothing falls between.
   * @throws ApplicationError when the log cannot be read
   */
  async attach(connection: Connection, caller: Caller): Promise<LogPosition> {
    const feed = this.feedOf(caller.user_id);
    feed.connections.add(connection);
    try {
      const head = await this.requests.request(EventLog.head, caller, {});
      // The connection may have been closed, and the feed with it, during the request.
      if (!feed.connections.has(connection)) return head;
      if (feed.open(head)) this.noteGap(feed);
      return feed.startOf(head);
    } catch (error) {
      this.detach(connection, caller.user_id);
      throw error;
    }
  }

  detach(connection: Connection, userId: number): void {
    const entry = this.entries.get(userId);
    if (!entry?.feed.connections.delete(connection) || entry.feed.connections.size > 0) return;
    this.entries.delete(userId);
    this.withGaps.delete(entry.feed);
    entry.subscription.unsubscribe();
    this.presence.went(userId);
  }

  find(userId: number): UserFeed | undefined {
    return this.entries.get(userId)?.feed;
  }

  /**
   * Reads a page of a user's log for a replay. So many at once on this gateway, and one of each user; a reader gets its
   * next page after those that wait already.
   */
  readPage(caller: Caller, from: LogCursor): Promise<LogSlice> {
    return this.replays.run(caller.user_id, () =>
      this.requests.request(EventLog.read, caller, {
        ...from,
        limit: pageSize,
        max_bytes: replayPageBytes,
      }),
    );
  }

  /** Whether a user may resume: a replay can be ten thousand frames. @param now milliseconds */
  mayResume(userId: number, now: number): boolean {
    const perMinute = this.config.WS_RESUMES_PER_MINUTE;
    const bucket = this.resumes.get(userId) ?? new TokenBucket(perMinute, perMinute / 60, now);
    this.resumes.set(userId, bucket);
    return bucket.take(now);
  }

  /**
   * Finds frames whose signals were lost: requests where the logs of all users here end. A call during a request repeats
   * it afterwards, because its answer may be older than what was lost.
   */
  async compareHeads(): Promise<void> {
    this.forgetResumes(performance.now());
    this.compareAgain = this.comparing;
    if (this.comparing) return;
    this.comparing = true;
    try {
      do {
        this.compareAgain = false;
        await this.findGaps();
      } while (this.compareAgain);
    } finally {
      this.comparing = false;
    }
  }

  private forgetResumes(now: number): void {
    for (const [userId, bucket] of this.resumes)
      if (bucket.isFull(now)) this.resumes.delete(userId);
  }

  private async findGaps(): Promise<void> {
    const feeds = [...this.entries.values()].map(({ feed }) => feed);
    for (let from = 0; from < feeds.length; from += headsAtOnce) {
      const asked = feeds.slice(from, from + headsAtOnce);
      const before = asked.map(({ offset }) => offset);
      try {
        const { offsets } = await this.requests.request(EventLog.heads, undefined, {
          user_ids: asked.map(({ userId }) => userId),
        });
        for (const [index, feed] of asked.entries()) {
          const gone = this.find(feed.userId) !== feed;
          if (!gone && feed.expect(offsets[feed.userId] ?? 0, before[index])) this.noteGap(feed);
        }
      } catch (error) {
        this.logger.warn(
          `The ends of the event logs are not known; they are requested again. ${String(error)}`,
        );
        return;
      }
    }
  }

  onApplicationShutdown(): void {
    clearTimeout(this.gapTimer);
    clearTimeout(this.reconnectTimer);
    this.unwatch();
    this.messages?.unsubscribe();
  }

  private deliver({ frame, client_id, origin, offsets }: SignalledMessage): void {
    for (const [userId, offset] of offsets) {
      const feed = this.find(userId);
      if (!feed) continue;
      const own = userId === frame.sender_id;
      const missing = own
        ? feed.accept({ ...frame, client_id, offset }, origin)
        : feed.accept({ ...frame, offset });
      if (missing) this.noteGap(feed);
    }
  }

  private feedOf(userId: number): UserFeed {
    const known = this.entries.get(userId);
    if (known) return known.feed;
    const feed = new UserFeed(userId);
    const subscription = this.signals.subscribe(
      userFrame,
      ({ frame }) => {
        if (feed.accept(frame)) this.noteGap(feed);
      },
      userId,
    );
    this.entries.set(userId, { feed, subscription });
    this.presence.came(userId);
    return feed;
  }

  private noteGap(feed: UserFeed): void {
    this.withGaps.add(feed);
    this.fillLater(gapGraceMs);
  }

  /** One timer for all gaps. */
  private fillLater(delayMs: number): void {
    this.gapTimer ??= setTimeout(() => {
      this.gapTimer = undefined;
      this.fillGaps();
    }, delayMs);
  }

  private fillGaps(): void {
    const feeds = [...this.withGaps].filter((feed) => !this.filling.has(feed));
    this.withGaps.clear();
    for (const feed of feeds) {
      this.filling.add(feed);
      void this.gapFills.run(feed.userId, () => this.fill(feed));
    }
  }

  /** Fills the gap of a feed. Never rejects: what fails is tried again. */
  private async fill(feed: UserFeed): Promise<void> {
    try {
      await this.readGap(feed);
    } catch (error) {
      this.logger.warn(`An event log could not be read; it is tried again. ${String(error)}`);
      if (this.find(feed.userId) === feed) {
        this.withGaps.add(feed);
        this.fillLater(gapRetryMs * (1 + Math.random()));
      }
    } finally {
      this.filling.delete(feed);
    }
    // What showed meanwhile that more is missing was not queued again.
    if (feed.gap && this.find(feed.userId) === feed) this.noteGap(feed);
  }

  private async readGap(feed: UserFeed): Promise<void> {
    const { caller } = feed;
    let place: LogCursor | undefined = feed.gap;
    if (!place || !caller) return;
    gapsFilled.inc();
    for (;;) {
      const page: LogSlice = await this.requests.request(EventLog.read, caller, {
        ...place,
        limit: pageSize,
      });
      if (!page.recovered) return feed.lose(page);
      feed.catchUp(page.frames);
      const { epoch, offset, after_message_id } = page;
      place = { epoch, offset, after_message_id };
      if (!page.has_more) return feed.markComplete();
    }
  }
}
