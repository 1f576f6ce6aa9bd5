import {
  type Caller,
  EventLog,
  type LogPosition,
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
import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Connection } from '../connections/connection.js';
import { gapsFilled } from '../metrics.js';
import { PresenceReporter } from '../presence/presence-reporter.js';
import { UserFeed } from './user-feed.js';

/** Signals of two replicas of chat may overtake each other; only what is missing for longer was lost. */
const gapGraceMs = 50;
const gapRetryMs = 1000;
const pageSize = 200;
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
  private gapTimer: NodeJS.Timeout | undefined;
  private readonly unwatch: () => void;
  private messages: SignalSubscription | undefined;

  constructor(
    private readonly requests: RequestClient,
    private readonly signals: Signals,
    private readonly presence: PresenceReporter,
    nats: NatsConnectionProvider,
  ) {
    // Signals that were sent meanwhile are lost.
    this.unwatch = nats.onChange((connected) => {
      if (connected) void this.compareHeads();
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
   * @throws ApplicationError when the log cannot be asked
   */
  async attach(connection: Connection, caller: Caller): Promise<LogPosition> {
    const feed = this.feedOf(caller.user_id);
    feed.connections.add(connection);
    try {
      const head = await this.requests.request(EventLog.head, caller, {});
      // The connection may have been closed, and the feed with it, while the log was asked.
      if (feed.connections.has(connection) && feed.open(head)) this.noteGap(feed);
      return head;
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

  /** Reads a page of a user's log. */
  read(caller: Caller, from: LogPosition) {
    return this.requests.request(EventLog.read, caller, { ...from, limit: pageSize });
  }

  /** Finds what lost signals left behind: asks where the logs of all users here end. */
  async compareHeads(): Promise<void> {
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
          `The ends of the event logs are not known; they are asked again. ${String(error)}`,
        );
        return;
      }
    }
  }

  onApplicationShutdown(): void {
    clearTimeout(this.gapTimer);
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
      void this.fillGaps();
    }, delayMs);
  }

  private async fillGaps(): Promise<void> {
    const feeds = [...this.withGaps];
    this.withGaps.clear();
    await Promise.all(
      feeds.map(async (feed) => {
        try {
          await this.fill(feed);
        } catch (error) {
          this.logger.warn(`An event log could not be read; it is tried again. ${String(error)}`);
          if (this.find(feed.userId) !== feed) return;
          this.withGaps.add(feed);
          this.fillLater(gapRetryMs);
        }
      }),
    );
  }

  private async fill(feed: UserFeed): Promise<void> {
    const { caller } = feed;
    let place = feed.gap;
    if (!place || !caller) return;
    gapsFilled.inc();
    for (;;) {
      const page = await this.read(caller, place);
      if (!page.recovered) return feed.lose(page);
      feed.catchUp(page.frames);
      place = { epoch: page.epoch, offset: page.offset };
      if (!page.has_more) return feed.settle();
    }
  }
}
