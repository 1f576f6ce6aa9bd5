import { randomUUID } from 'node:crypto';
import {
  type DurableFrame,
  EventLog,
  type LogCursor,
  Messages,
  notificationCreated,
  type NotificationView,
  Presence,
  type PresenceFrame,
} from '@mentorhub/contracts';
import { FixedClock } from '@mentorhub/service-kit';
import { jetstream } from '@nats-io/jetstream';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { NewEntry } from '../src/event-log/event-log.js';
import { LogInbox } from '../src/event-log/log-inbox.js';
import { LogTrimmer } from '../src/event-log/log-trimmer.js';
import { lastMessageSql } from '../src/event-log/read-log.sql.js';
import { PresenceService } from '../src/presence/presence.service.js';
import { caller, startChat, type TestChat } from './harness.js';

let chat: TestChat;

beforeAll(async () => {
  chat = await startChat('chat_event_log', {
    EVENT_LOG_ENTRIES: '100',
    GATEWAY_LEASE_SECONDS: '600',
  });
});
afterAll(() => chat.stop());

function post(from: number, to: number, text: string) {
  return chat.post(from, { recipient_id: to, text });
}

const notification: NotificationView = {
  id: 5,
  type: 'session_confirmed',
  title: 'Confirmed',
  body: 'Your session is confirmed.',
  data: { session_id: 9 },
  is_read: false,
  read_at: null,
  created_at: '2026-11-25T12:00:00Z',
};

/** A log of user 21: messages of two chats with receipts and notifications in between. */
async function mixedLog(): Promise<DurableFrame[]> {
  const { id: first } = await post(21, 22, 'to 22');
  await post(23, 21, 'from 23');
  await chat.requests.request(Messages.read, caller(22), { id: first });
  await post(22, 21, 'from 22');
  await post(21, 23, 'to 23');
  await chat.service.app.get(DataSource).transaction(async (tx) => {
    const entry = {
      userId: 21,
      kind: 'notification',
      payload: { notification, unread_count: 1 },
    };
    await chat.service.app.get(LogInbox).add(tx, entry as NewEntry);
  });
  await vi.waitFor(async () => {
    const { offset } = await chat.requests.request(EventLog.head, caller(21), {});
    expect(offset).toBe(6);
  });
  await post(22, 21, 'the last');
  const { epoch } = await chat.requests.request(EventLog.head, caller(21), {});
  const whole = { epoch, offset: 0 };
  return (await chat.requests.request(EventLog.read, caller(21), whole)).frames;
}

describe('the event log', () => {
  it('logs a notification once and signals the sockets after the commit', async () => {
    const mentee = chat.listen(1);
    const envelope = {
      id: randomUUID(),
      type: notificationCreated.type,
      occurred_at: new Date().toISOString(),
      aggregate_id: '5',
      version: 1,
      data: { user_id: 1, notification, unread_count: 3 },
    };
    const js = jetstream(chat.connection);
    // The service creates the stream a moment after it is ready.
    await vi.waitFor(
      () => js.publish(notificationCreated.subject, JSON.stringify(envelope)),
      10_000,
    );
    await js.publish(notificationCreated.subject, JSON.stringify(envelope));

    await vi.waitFor(() => expect(mentee.frames).toHaveLength(1), 10_000);
    const frame = { type: 'notification', notification, unread_count: 3, offset: 1 };
    expect(mentee.frames).toEqual([frame]);
    const { epoch } = await chat.requests.request(EventLog.head, caller(1), {});
    const slice = await chat.requests.request(EventLog.read, caller(1), { epoch, offset: 0 });
    expect(slice).toMatchObject({
      epoch,
      offset: 1,
      recovered: true,
      frames: [frame],
      has_more: false,
    });
  });

  it('starts empty and keeps its epoch', async () => {
    const first = await chat.requests.request(EventLog.head, caller(2), {});
    expect(first.offset).toBe(0);
    expect(await chat.requests.request(EventLog.head, caller(2), {})).toEqual(first);
  });

  it('does not pretend to recover another epoch, or a position it never had', async () => {
    const head = await chat.requests.request(EventLog.head, caller(3), {});
    for (const from of [
      { epoch: randomUUID(), offset: 0 },
      { epoch: head.epoch, offset: 99 },
    ]) {
      expect(await chat.requests.request(EventLog.read, caller(3), from)).toEqual({
        ...head,
        recovered: false,
        frames: [],
        has_more: false,
      });
    }
  });

  it('drops the oldest entries and answers `recovered: false` to users who were away too long', async () => {
    await Promise.all(Array.from({ length: 120 }, (_, index) => post(4, 5, `m${index}`)));
    await chat.service.app.get(LogTrimmer).sweep();

    const { epoch } = await chat.requests.request(EventLog.head, caller(5), {});
    const read = (offset: number) =>
      chat.requests.request(EventLog.read, caller(5), { epoch, offset });
    expect(await read(19)).toMatchObject({ recovered: false, offset: 120 });
    const kept = await read(20);
    expect(kept.recovered).toBe(true);
    expect(kept.frames).toHaveLength(100);
    expect(kept.frames[0]?.offset).toBe(21);
  });

  it('is read in order across chats and kinds, from anywhere and in pages of any size', async () => {
    const frames = await mixedLog();
    expect(frames.map(({ type, offset }) => `${offset} ${type}`)).toEqual([
      '1 message',
      '2 message',
      '3 read',
      '4 message',
      '5 message',
      '6 notification',
      '7 message',
    ]);
    const { epoch } = await chat.requests.request(EventLog.head, caller(21), {});
    for (const limit of [1, 2, 3, 200]) {
      for (let offset = 0; offset <= 7; offset++) {
        const slice = await chat.requests.request(EventLog.read, caller(21), {
          epoch,
          offset,
          limit,
        });
        expect(slice.frames).toEqual(frames.slice(offset, offset + limit));
        expect(slice).toMatchObject({ recovered: true, has_more: offset + limit < 7 });
      }
    }
  });

  it('is read on from a page, also when the page before says where its messages ended', async () => {
    const { epoch } = await chat.requests.request(EventLog.head, caller(21), {});
    const frames: DurableFrame[] = [];
    const query = vi.spyOn(chat.sql, 'query');
    let from: LogCursor = { epoch, offset: 0 };
    for (let page = 0; page < 4; page++) {
      const slice = await chat.requests.request(EventLog.read, caller(21), { ...from, limit: 2 });
      frames.push(...slice.frames);
      expect(slice.has_more).toBe(page < 3);
      from = {
        epoch: slice.epoch,
        offset: slice.offset,
        after_message_id: slice.after_message_id,
      };
    }
    expect(frames.map(({ offset }) => offset)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    // This looks at all that follows, so it is for the first page alone.
    const searches = query.mock.calls.filter(([text]) => text === lastMessageSql);
    query.mockRestore();
    expect(searches).toHaveLength(1);
  });

  it('begins after the old receipts and notifications, which are dropped', async () => {
    await chat.sql.query(
      `UPDATE log_entries SET logged_at = now() - interval '31 days' WHERE user_id = 21 AND "offset" = 3`,
    );
    await chat.service.app.get(LogTrimmer).sweep();

    const left = await chat.sql.query(
      'SELECT "offset" FROM log_entries WHERE user_id = 21 ORDER BY "offset"',
    );
    expect(left).toEqual([{ offset: 6 }]);
    const { epoch } = await chat.requests.request(EventLog.head, caller(21), {});
    const read = (offset: number) =>
      chat.requests.request(EventLog.read, caller(21), { epoch, offset });
    expect(await read(2)).toMatchObject({ recovered: false, offset: 7, frames: [] });
    const kept = await read(3);
    expect(kept.frames.map(({ offset }) => offset)).toEqual([4, 5, 6, 7]);
    expect(kept.recovered).toBe(true);
  });

  it('is read in pages of 600 KB, however long the messages are', async () => {
    const texts = ['я'.repeat(4000), '😀'.repeat(2000), '"'.repeat(4000), '\u0001'.repeat(4000)];
    const sent: string[] = [];
    for (let number = 0; number < 96; number++) {
      const text = texts[number % texts.length] ?? '';
      sent.push(text);
      await post(31, 32, text);
    }
    const { epoch } = await chat.requests.request(EventLog.head, caller(32), {});
    const received: string[] = [];
    let from: LogCursor = { epoch, offset: 0 };
    let pages = 0;
    for (let more = true; more; pages++) {
      const slice = await chat.requests.request(EventLog.read, caller(32), { ...from, limit: 500 });
      expect(slice.recovered).toBe(true);
      expect(Buffer.byteLength(JSON.stringify(slice.frames))).toBeLessThanOrEqual(600_001);
      received.push(
        ...slice.frames.map((frame) => (frame.type === 'message' ? frame.content : '')),
      );
      more = slice.has_more;
      from = {
        epoch: slice.epoch,
        offset: slice.offset,
        after_message_id: slice.after_message_id,
      };
    }
    expect(received).toEqual(sent);
    expect(pages).toBe(2);
    const one = await chat.requests.request(EventLog.read, caller(32), {
      epoch,
      offset: 0,
      max_bytes: 1,
    });
    expect(one).toMatchObject({ offset: 1, has_more: true });
  });

  it('with a hole answers `recovered: false` once, and its reader goes on from the end', async () => {
    await post(33, 34, 'first');
    const { id } = await post(33, 34, 'lost');
    await post(33, 34, 'last');
    await chat.sql.query('DELETE FROM messages WHERE id = $1', [id]);
    const { epoch } = await chat.requests.request(EventLog.head, caller(34), {});
    const read = (offset: number) =>
      chat.requests.request(EventLog.read, caller(34), { epoch, offset });

    expect(await read(0)).toEqual({
      epoch,
      offset: 3,
      recovered: false,
      frames: [],
      has_more: false,
    });
    await post(33, 34, 'next');
    expect(await read(3)).toMatchObject({ recovered: true, frames: [{ content: 'next' }] });
  });

  it('answers where many logs end', async () => {
    await post(6, 7, 'hello');
    const { offsets } = await chat.requests.request(EventLog.heads, undefined, {
      user_ids: [6, 7, 888],
    });
    expect(offsets).toEqual({ 6: 1, 7: 1 });
  });
});

let lastReport = 0;

function report(
  gateway: string,
  came: number[],
  went: number[],
  reset?: boolean,
  number = ++lastReport,
) {
  return chat.requests.request(Presence.report, undefined, {
    gateway_id: gateway,
    number,
    came,
    went,
    reset,
  });
}

async function onlineFor(userId: number): Promise<number[]> {
  const { users, total } = await chat.requests.request(Presence.online, caller(userId), {});
  expect(total).toBe(users.length);
  return users.map(({ id }) => id);
}

describe('presence', () => {
  it('asks an unknown gateway to report everyone', async () => {
    expect(await report('g-unknown', [11], [])).toMatchObject({ unknown_gateway: true });
    expect(await report('g-unknown', [], [])).toMatchObject({ unknown_gateway: true });
  });

  it('notifies chat partners when the first device connects and the last one disconnects', async () => {
    await post(12, 13, 'hello');
    await report('g1', [13], [], true);
    await report('g2', [], [], true);
    const friend = chat.listen(13);
    const stranger = chat.listen(14);
    await chat.connection.flush();

    await report('g1', [12], []);
    await report('g2', [12], []);
    await report('g1', [], [12]);
    await report('g2', [], [12]);

    await vi.waitFor(() => expect(friend.frames).toHaveLength(2));
    expect(friend.frames).toMatchObject([
      { type: 'presence', user_id: 12, status: 'online' },
      { type: 'presence', user_id: 12, status: 'offline' },
    ]);
    expect(stranger.frames).toEqual([]);
    const { users, total } = await chat.requests.request(Presence.online, caller(12), {});
    expect(total).toBe(1);
    expect(users).toMatchObject([{ id: 13, username: 'user13', full_name: 'User 13' }]);
    await report('g1', [], [], true);
  });

  it('takes no report that arrives after a later one, and never the other way round', async () => {
    await post(41, 42, 'hello');
    await post(41, 43, 'hello');
    await report('g5', [42], [], true, 10);
    const friend = chat.listen(41);
    await chat.connection.flush();

    await report('g5', [], [42], false, 12);
    expect(await report('g5', [42], [], false, 11)).not.toHaveProperty('unknown_gateway');
    await report('g5', [42], [], true, 9);
    expect(await onlineFor(41)).toEqual([]);
    await report('g5', [43], [], false, 13);

    await vi.waitFor(() => expect(friend.frames).toHaveLength(2));
    expect(friend.frames).toMatchObject([
      { user_id: 42, status: 'offline' },
      { user_id: 43, status: 'online' },
    ]);
    expect(await onlineFor(41)).toEqual([43]);
    await report('g5', [], [], true, 14);
  });

  it('shows those online only to whom they share a chat with, and nobody oneself', async () => {
    await post(44, 45, 'hello');
    await post(46, 47, 'hello');
    await report('g6', [44, 45, 46], [], true);
    expect(await onlineFor(44)).toEqual([45]);
    expect(await onlineFor(47)).toEqual([46]);
    expect(await onlineFor(48)).toEqual([]);
    await report('g6', [], [], true);
  });

  it('dates what came later as later, whatever the clock of the replica says', async () => {
    await post(51, 52, 'hello');
    const friend = chat.listen(51);
    await chat.connection.flush();

    await report('g7', [52], [], true, 1);
    const replica = await chat.startReplica(new FixedClock(new Date(Date.now() - 60_000)));
    const presence = replica.app.get(PresenceService);
    await presence.report({ gateway_id: 'g7', number: 2, came: [], went: [52] });

    await vi.waitFor(() => expect(friend.frames).toHaveLength(2));
    expect(friend.frames).toMatchObject([{ status: 'online' }, { status: 'offline' }]);
    const [online = '', offline = ''] = friend.frames.map((frame) => (frame as PresenceFrame).at);
    expect(Date.parse(offline)).toBeGreaterThan(Date.parse(online));
    await replica.close();
  });

  it('counts the users of a gateway that fell silent as gone', async () => {
    await post(15, 16, 'hello');
    const clock = new FixedClock(new Date());
    const replica = await chat.startReplica(clock);
    await report('g3', [15], [], true);
    await report('g4', [16], [], true);
    const friend = chat.listen(15);
    await chat.connection.flush();

    // Only g4 falls silent.
    await chat.sql.query(`UPDATE gateway_leases SET expires_at = $1 WHERE gateway_id = 'g3'`, [
      new Date(Date.now() + 3_600_000),
    ]);
    clock.advance(700_000);
    await replica.app.get(PresenceService).expire();

    await vi.waitFor(() => expect(friend.frames).toHaveLength(1));
    expect(friend.frames[0]).toMatchObject({ type: 'presence', user_id: 16, status: 'offline' });
    await replica.close();
  });
});
