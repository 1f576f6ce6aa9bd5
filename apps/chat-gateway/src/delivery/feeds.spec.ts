import {
  type Caller,
  EventLog,
  type LogPosition,
  type ReadLog,
  type RequestContract,
} from '@mentorhub/contracts';
import type { NatsConnectionProvider, RequestClient, Signals } from '@mentorhub/messaging/client';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { WebSocket } from 'ws';
import { readConfig } from '../config.js';
import type { PresenceReporter } from '../presence/presence-reporter.js';
import { Connection } from './connection.js';
import { Feeds } from './feeds.js';

const epoch = '0b9c3a52-6f0e-4d7e-9d5c-0f4d5f6a7b8c';
const readMs = 20;

function caller(userId: number): Caller {
  return { user_id: userId, roles: ['student'], session_id: userId };
}

/** Feeds with a chat whose logs all end at `end`, and which takes 20 ms to read a page. */
function startFeeds() {
  const chat = {
    end: 0,
    reading: 0,
    most: 0,
    reads: 0,
    readers: new Map<number, number>(),
    /** Answers to requests for the end of one log, where they are not the present end at once. */
    heads: [] as Promise<LogPosition>[],
    /** Answers for many logs that are lost, one for each request. */
    lostAnswers: [] as Promise<never>[],
  };
  async function read(userId: number, { offset }: ReadLog) {
    const ofUser = (chat.readers.get(userId) ?? 0) + 1;
    expect(ofUser).toBe(1);
    chat.readers.set(userId, ofUser);
    chat.reads++;
    chat.most = Math.max(chat.most, ++chat.reading);
    await new Promise((resolve) => setTimeout(resolve, readMs));
    chat.reading--;
    chat.readers.set(userId, 0);
    const next = { type: 'read', chat_id: 1, message_id: 1, user_id: 2, read_at: '' } as const;
    const frames = offset < chat.end ? [{ ...next, offset: offset + 1 }] : [];
    return {
      epoch,
      offset: Math.min(offset + 1, chat.end),
      recovered: true,
      frames,
      has_more: offset + 1 < chat.end,
    };
  }
  const requests = {
    request: async (
      contract: RequestContract<unknown, unknown>,
      actor: Caller | undefined,
      data: unknown,
    ) => {
      if (contract.subject === EventLog.head.subject) {
        return chat.heads.shift() ?? { epoch, offset: chat.end };
      }
      if (contract.subject === EventLog.read.subject) {
        return read(actor?.user_id ?? 0, data as ReadLog);
      }
      await chat.lostAnswers.shift();
      const { user_ids: ids } = data as { user_ids: number[] };
      return { offsets: Object.fromEntries(ids.map((id) => [id, chat.end])) };
    },
  };
  const changes: ((connected: boolean) => void)[] = [];
  const feeds = new Feeds(
    requests as unknown as RequestClient,
    { subscribe: () => ({ unsubscribe: () => undefined }) } as unknown as Signals,
    { came: () => undefined, went: () => undefined } as unknown as PresenceReporter,
    readConfig({ PROFILE: 'local', NATS_URL: 'nats://localhost:4222', WS_RESUMES_AT_ONCE: '4' }),
    {
      onChange: (listener: (connected: boolean) => void) => {
        changes.push(listener);
        return () => undefined;
      },
    } as unknown as NatsConnectionProvider,
  );
  return { feeds, chat, reconnect: () => changes.forEach((listener) => listener(true)) };
}

function socket(): { connection: Connection; sent: string[] } {
  const sent: string[] = [];
  const fake = Object.assign(new EventEmitter(), {
    bufferedAmount: 0,
    send: (data: Buffer | string, _options: object, done?: () => void) => {
      sent.push(String(data));
      done?.();
    },
  });
  return { connection: new Connection(fake as unknown as WebSocket, new PassThrough()), sent };
}

/** A socket whose client reads nothing. */
function stalledSocket(): { connection: Connection; closed: number[] } {
  const closed: number[] = [];
  const events = new EventEmitter();
  const fake = Object.assign(events, {
    bufferedAmount: 200_000,
    send: () => undefined,
    resume: () => undefined,
    close: (code: number) => {
      closed.push(code);
      events.emit('close');
    },
  });
  return { connection: new Connection(fake as unknown as WebSocket, new PassThrough()), closed };
}

describe('feeds', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('fill the gaps of everyone after the broker was away, a few at a time', async () => {
    const { feeds, chat, reconnect } = startFeeds();
    const offsets: number[] = [];
    for (let userId = 1; userId <= 300; userId++) {
      const { connection } = socket();
      connection.caller = caller(userId);
      connection.start(await feeds.attach(connection, caller(userId)));
    }
    chat.end = 2;
    reconnect();
    await vi.advanceTimersByTimeAsync(600 + (300 * 2 * readMs) / 8 + 200);

    for (let userId = 1; userId <= 300; userId++) offsets.push(feeds.find(userId)?.offset ?? 0);
    expect(new Set(offsets)).toEqual(new Set([2]));
    expect(chat.reads).toBe(600);
    expect(chat.most).toBe(8);
    feeds.onApplicationShutdown();
  });

  it('replay to so many devices at once, one of each user, page by page in turn', async () => {
    const { feeds, chat } = startFeeds();
    chat.end = 5;
    const sockets: string[][] = [];
    const replays: Promise<void>[] = [];
    for (let device = 0; device < 40; device++) {
      // The two devices of a user are next to each other in the line.
      const userId = 1 + Math.floor(device / 2);
      const { connection, sent } = socket();
      connection.caller = caller(userId);
      connection.start(await feeds.attach(connection, caller(userId)));
      sockets.push(sent);
      replays.push(
        connection.replay({ epoch, offset: 0 }, (from) => feeds.readPage(caller(userId), from)),
      );
    }
    await vi.advanceTimersByTimeAsync((40 * 5 * readMs) / 4 + 200);
    await Promise.all(replays);

    expect(chat.most).toBe(4);
    for (const sent of sockets) {
      const frames = sent.map((text) => JSON.parse(text) as { type: string; offset: number });
      expect(frames.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, 5]);
      expect(frames.at(-1)).toMatchObject({ type: 'resumed', recovered: true });
    }
    feeds.onApplicationShutdown();
  });

  it('replay to others while the clients of many replays read nothing, and close those after 30 s', async () => {
    const { feeds, chat } = startFeeds();
    chat.end = 5;
    const replays: Promise<void>[] = [];
    const resume = async (connection: Connection, userId: number): Promise<void> => {
      connection.caller = caller(userId);
      connection.start(await feeds.attach(connection, caller(userId)));
      replays.push(
        connection.replay({ epoch, offset: 0 }, (from) => feeds.readPage(caller(userId), from)),
      );
    };
    const stalled = Array.from({ length: 8 }, () => stalledSocket());
    for (const [index, { connection }] of stalled.entries()) await resume(connection, 1 + index);
    const { connection, sent } = socket();
    await resume(connection, 9);
    await vi.advanceTimersByTimeAsync((8 + 5) * readMs);

    expect(sent).toHaveLength(6);
    expect(stalled.flatMap(({ closed }) => closed)).toEqual([]);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(stalled.flatMap(({ closed }) => closed)).toEqual(stalled.map(() => 4413));
    await Promise.all(replays);
    feeds.onApplicationShutdown();
  });

  it('place a socket where the feed began that another one opened meanwhile', async () => {
    const { feeds, chat } = startFeeds();
    const older = Promise.withResolvers<LogPosition>();
    chat.heads.push(older.promise);
    const [one, other] = [socket(), socket()];
    for (const { connection } of [one, other]) connection.caller = caller(1);
    const attached = feeds.attach(one.connection, caller(1));
    chat.end = 12;
    expect(await feeds.attach(other.connection, caller(1))).toEqual({ epoch, offset: 12 });
    older.resolve({ epoch, offset: 10 });

    expect(await attached).toEqual({ epoch, offset: 12 });
    feeds.onApplicationShutdown();
  });

  it('compare the ends of the logs once more when the broker comes back while they are compared', async () => {
    const { feeds, chat, reconnect } = startFeeds();
    const { connection } = socket();
    connection.caller = caller(1);
    connection.start(await feeds.attach(connection, caller(1)));
    const lost = Promise.withResolvers<never>();
    chat.lostAnswers.push(lost.promise);
    const comparing = feeds.compareHeads();
    chat.end = 1;
    reconnect();
    await vi.advanceTimersByTimeAsync(600);
    lost.reject(new Error('No answer came.'));
    await comparing;
    await vi.advanceTimersByTimeAsync(200);

    expect(feeds.find(1)?.offset).toBe(1);
    feeds.onApplicationShutdown();
  });

  it('count the resumes of a user who connects anew for each', async () => {
    const { feeds } = startFeeds();
    let resumed = 0;
    for (let time = 0; time < 40; time++) {
      const { connection } = socket();
      connection.caller = caller(1);
      connection.start(await feeds.attach(connection, caller(1)));
      if (feeds.mayResume(1, performance.now())) resumed++;
      feeds.detach(connection, 1);
      await feeds.compareHeads();
    }

    expect(resumed).toBe(30);
    expect(feeds.mayResume(2, performance.now())).toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(feeds.mayResume(1, performance.now())).toBe(true);
    feeds.onApplicationShutdown();
  });
});
