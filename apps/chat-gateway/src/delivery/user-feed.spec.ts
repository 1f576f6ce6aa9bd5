import type { DurableFrame } from '@mentorhub/contracts';
import { property, assert, integer, shuffledSubarray } from 'fast-check';
import { expect, it } from 'vitest';
import { PassThrough } from 'node:stream';
import type { WebSocket } from 'ws';
import { Connection } from './connection.js';
import { UserFeed } from './user-feed.js';

const epoch = '0b9c3a52-6f0e-4d7e-9d5c-0f4d5f6a7b8c';

function frame(offset: number): DurableFrame {
  return { type: 'read', chat_id: 1, message_id: offset, user_id: 2, read_at: '', offset };
}

/** A socket that remembers the offsets it was sent. */
function socket(): { connection: Connection; offsets: number[] } {
  const offsets: number[] = [];
  const fake = {
    bufferedAmount: 0,
    send: (data: Buffer | string) =>
      offsets.push((JSON.parse(String(data)) as { offset: number }).offset),
  };
  return { connection: new Connection(fake as unknown as WebSocket, new PassThrough()), offsets };
}

it('hands frames to the sockets once and in order, however the signals arrive', () => {
  assert(
    property(
      integer({ min: 0, max: 5 }),
      shuffledSubarray(
        Array.from({ length: 20 }, (_, index) => index + 1),
        { minLength: 1 },
      ),
      (start, arrived) => {
        const feed = new UserFeed(1);
        const { connection, offsets } = socket();
        feed.connections.add(connection);
        feed.open({ epoch, offset: start });
        connection.start({ epoch, offset: start });
        for (const offset of [...arrived, ...arrived]) feed.accept(frame(offset));

        const { gap } = feed;
        if (gap) {
          const end = Math.max(...arrived);
          const missing = Array.from({ length: end - gap.offset }, (_, index) => index + 1);
          const frames = missing.map((index) => frame(gap.offset + index));
          feed.catchUp(frames);
          feed.markComplete();
        }

        expect(feed.gap).toBeUndefined();
        expect(offsets).toEqual(
          Array.from({ length: offsets.length }, (_, index) => start + index + 1),
        );
        expect(offsets.length).toBe(Math.max(0, Math.max(...arrived) - start));
      },
    ),
  );
});

it('keeps what arrives before the end of the log is known', () => {
  const feed = new UserFeed(1);
  const { connection, offsets } = socket();
  feed.connections.add(connection);
  feed.accept(frame(4));
  feed.accept(frame(5));
  feed.open({ epoch, offset: 4 });
  connection.start({ epoch, offset: 4 });

  expect(offsets).toEqual([5]);
});

it('sees from the end of the log that a signal was lost, and from a lower one that the log may be new', () => {
  const feed = new UserFeed(1);
  feed.open({ epoch, offset: 4 });

  expect(feed.expect(4)).toBe(false);
  expect(feed.expect(6)).toBe(true);
  const missed = [frame(5), frame(6)];
  feed.catchUp(missed);
  feed.markComplete();
  expect(feed.gap).toBeUndefined();
  // Asked before frame 6 came.
  expect(feed.expect(5, 5)).toBe(false);
  expect(feed.expect(2, 6)).toBe(true);
});

it('notifies every socket when the log cannot be continued', () => {
  const feed = new UserFeed(1);
  const { connection, offsets } = socket();
  feed.connections.add(connection);
  feed.open({ epoch, offset: 4 });
  connection.start({ epoch, offset: 4 });
  feed.lose({ epoch: 'another', offset: 2 });
  feed.accept(frame(3));

  expect(offsets).toEqual([2, 3]);
});

it('reports that the log cannot be continued before it goes on after the end of the log', () => {
  const feed = new UserFeed(1);
  const { connection, offsets } = socket();
  feed.connections.add(connection);
  feed.open({ epoch, offset: 4 });
  connection.start({ epoch, offset: 4 });
  feed.accept(frame(10));
  feed.lose({ epoch, offset: 9 });

  expect(offsets).toEqual([9, 10]);
});
