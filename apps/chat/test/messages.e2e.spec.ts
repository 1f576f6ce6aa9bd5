import { randomUUID } from 'node:crypto';
import {
  type AckDetails,
  type ApplicationError,
  Chats,
  type DurableFrame,
  EventLog,
  Messages,
  type SocketPost,
  Typing,
} from '@mentorhub/contracts';
import { requestContext } from '@mentorhub/messaging';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { caller, startChat, type TestChat } from './harness.js';

let chat: TestChat;

beforeAll(async () => {
  chat = await startChat('chat_messages');
});
afterAll(() => chat.stop());

function post(from: number, to: number, text: string, clientId?: string): Promise<AckDetails> {
  return chat.post(from, { recipient_id: to, text, client_id: clientId });
}

function socketPost(from: number, to: number, text: string, clientId?: string): SocketPost {
  return { sender_id: from, message: { recipient_id: to, text, client_id: clientId } };
}

async function log(userId: number): Promise<DurableFrame[]> {
  const { epoch } = await chat.requests.request(EventLog.head, caller(userId), {});
  const slice = await chat.requests.request(EventLog.read, caller(userId), {
    epoch,
    offset: 0,
    limit: 500,
  });
  expect(slice.recovered).toBe(true);
  return slice.frames;
}

function codeOf(answer: Promise<unknown>): Promise<string> {
  return answer.then(
    () => 'OK',
    (error: ApplicationError) => error.code,
  );
}

/** Over REST, with an `Idempotency-Key`. */
function sendWithKey(from: number, to: number, text: string) {
  return requestContext.run({ requestId: randomUUID(), idempotencyKey: 'key-1' }, () =>
    chat.requests.request(Messages.send, caller(from), { recipient_id: to, text }),
  );
}

async function readAll(userId: number): Promise<DurableFrame[]> {
  const frames: DurableFrame[] = [];
  let from = { ...(await chat.requests.request(EventLog.head, caller(userId), {})), offset: 0 };
  for (;;) {
    const slice = await chat.requests.request(EventLog.read, caller(userId), {
      epoch: from.epoch,
      offset: from.offset,
      limit: 70,
    });
    frames.push(...slice.frames);
    if (!slice.has_more) return frames;
    from = slice;
  }
}

describe('sending', () => {
  it('stores a message, logs it for both and tells the sockets of both', async () => {
    const sockets = chat.listen(1);
    await chat.connection.flush();

    const ack = await chat.post(
      1,
      { recipient_id: 2, text: 'Hello Bob', client_id: 'a-1' },
      'socket-1',
    );

    expect(ack).toMatchObject({ offset: 1 });
    await vi.waitFor(() => expect(sockets.messages).toHaveLength(1));
    const message = {
      type: 'message',
      id: ack.id,
      chat_id: ack.chat_id,
      sender_id: 1,
      sender_username: 'user1',
      content: 'Hello Bob',
      timestamp: ack.timestamp,
    };
    expect(sockets.messages[0]).toEqual({
      frame: message,
      client_id: 'a-1',
      origin: 'socket-1',
      offsets: expect.arrayContaining([
        [1, 1],
        [2, 1],
      ]),
    });
    expect(await log(2)).toEqual([{ ...message, offset: 1 }]);
    expect(await log(1)).toEqual([{ ...message, client_id: 'a-1', offset: 1 }]);
  });

  it('writes the event of the message in the same statement', async () => {
    const ack = await post(3, 4, 'for the outbox');
    const rows = await chat.sql.query(
      `SELECT subject, aggregate_id, version, payload FROM outbox WHERE aggregate_id = $1`,
      [String(ack.id)],
    );
    expect(rows).toEqual([
      {
        subject: 'event.chat.message.sent',
        aggregate_id: String(ack.id),
        version: 1,
        payload: {
          sent_at: ack.timestamp,
          messages: [
            {
              message_id: ack.id,
              chat_id: ack.chat_id,
              sender_id: 3,
              sender_name: 'User 3',
              recipient_ids: [4],
            },
          ],
        },
      },
    ]);
  });

  it('answers the same client_id with the first id, also with another text', async () => {
    const first = await post(5, 6, 'once', 'same');
    const again = await post(5, 6, 'something else', 'same');

    expect(again).toMatchObject({ id: first.id, timestamp: first.timestamp, duplicate: true });
    expect(again).not.toHaveProperty('offset');
    expect(await log(6)).toHaveLength(1);
  });

  it('stores one of many sent at once with the same client_id', async () => {
    const acks = await Promise.all(
      Array.from({ length: 20 }, (_, index) => post(7, 8, `try ${index}`, 'storm')),
    );

    expect(new Set(acks.map(({ id }) => id)).size).toBe(1);
    expect(acks.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(await log(8)).toHaveLength(1);
  });

  it('lets the same client_id of two senders be two messages', async () => {
    const [one, other] = await Promise.all([post(9, 10, 'a', 'x'), post(10, 9, 'b', 'x')]);
    expect(one.id).not.toBe(other.id);
    expect(one.chat_id).toBe(other.chat_id);
  });

  it('refuses unknown recipients, oneself, and chats of others', async () => {
    const { chat_id: chatId } = await post(1, 2, 'ours');
    expect(await codeOf(post(1, 4242, 'anyone?'))).toBe('NOT_FOUND');
    expect(await codeOf(post(1, 1, 'me'))).toBe('VALIDATION_FAILED');
    const both = { recipient_id: 2, chat_id: chatId, text: 'where to?' };
    expect(await codeOf(chat.post(1, both))).toBe('VALIDATION_FAILED');
    expect(await codeOf(chat.post(3, { chat_id: chatId, text: 'let me in' }))).toBe('NOT_FOUND');
  });

  it('takes the Idempotency-Key of a REST request for a client_id', async () => {
    const first = await sendWithKey(11, 12, 'once');
    expect(await sendWithKey(11, 12, 'once')).toEqual(first);
    expect(first).toMatchObject({ sender_id: 11, recipient_id: 12, text: 'once', read: false });
    expect(await log(12)).toHaveLength(1);
    expect((await log(11))[0]).not.toHaveProperty('client_id');
  });

  it('refuses an Idempotency-Key again for another recipient or text, and stores nothing', async () => {
    const first = await sendWithKey(13, 14, 'once');
    expect(await codeOf(sendWithKey(13, 18, 'once'))).toBe('IDEMPOTENCY_KEY_REUSED');
    expect(await codeOf(sendWithKey(13, 14, 'changed'))).toBe('IDEMPOTENCY_KEY_REUSED');
    expect(await log(13)).toMatchObject([{ id: first.id, content: 'once' }]);
    expect(await log(14)).toHaveLength(1);
    expect(await log(18)).toEqual([]);
    expect((await chat.requests.request(Chats.list, caller(13), {})).total).toBe(1);
    expect((await chat.requests.request(Chats.list, caller(18), {})).total).toBe(0);
    const [{ count }] = await chat.sql.query(
      `SELECT count(*)::int FROM messages WHERE sender_id = 13`,
    );
    expect(count).toBe(1);
    expect(await sendWithKey(13, 14, 'once')).toEqual(first);
  });
});

it('answers each of many posts by itself', async () => {
  const { answers } = await chat.requests.request(Messages.post, undefined, {
    posts: [
      { sender_id: 15, message: { recipient_id: 16, text: 'fine' } },
      { sender_id: 15, message: { recipient_id: 4242, text: 'nobody' } },
      { sender_id: 17, message: { recipient_id: 16, text: 'fine too' } },
    ],
  });
  expect(answers).toMatchObject([
    { ack: { offset: 1 } },
    { problem: { code: 'NOT_FOUND' } },
    { ack: { offset: 1 } },
  ]);
});

it('stores what is new of many posts when some were stored before', async () => {
  const before = await post(71, 72, 'first', 'known');
  const { answers } = await chat.requests.request(Messages.post, undefined, {
    posts: [
      socketPost(71, 72, 'second', 'new'),
      socketPost(71, 72, 'first', 'known'),
      socketPost(73, 74, 'from another', 'known'),
      socketPost(71, 72, 'second again', 'new'),
      socketPost(72, 71, 'back'),
    ],
  });

  const acks = answers.map((answer) => ('ack' in answer ? answer.ack : undefined));
  expect(acks).toMatchObject([
    { offset: 2 },
    { id: before.id, duplicate: true },
    { offset: 1 },
    { id: acks[0]?.id, duplicate: true },
    { offset: 3 },
  ]);
  const texts = ['first', 'second', 'back'];
  for (const user of [71, 72]) {
    const frames = await log(user);
    expect(frames).toMatchObject(texts.map((content, index) => ({ content, offset: index + 1 })));
  }
  expect(await log(74)).toMatchObject([{ content: 'from another', offset: 1 }]);
});

it('keeps a message that the database refuses from taking others with it', async () => {
  // Both halves of a pair are stored as the same character, so the second is no duplicate before it is stored.
  const { answers } = await chat.requests.request(Messages.post, undefined, {
    posts: [
      socketPost(75, 76, 'one', '\ud800'),
      socketPost(75, 76, 'two', '\ud801'),
      socketPost(77, 78, 'of a stranger'),
    ],
  });
  expect(answers[2]).toMatchObject({ ack: { offset: 1 } });
  expect(await log(78)).toMatchObject([{ content: 'of a stranger' }]);
});

describe('order', () => {
  it('is the same for all, with two replicas and everyone writing to everyone', async () => {
    const replica = await chat.startReplica();
    const users = [21, 22, 23, 24, 25, 26];
    const sends: Promise<AckDetails>[] = [];
    for (let round = 0; round < 25; round++) {
      for (const from of users) {
        for (const to of users) {
          if (from !== to) sends.push(post(from, to, `${from} to ${to}, ${round}`));
        }
      }
      if (round % 5 === 4) await Promise.all(sends);
    }
    const acks = await Promise.all(sends);
    await replica.close();

    const orders = new Map<number, number[][]>();
    for (const user of users) {
      const frames = await readAll(user);
      expect(frames.map(({ offset }) => offset)).toEqual(frames.map((_, index) => index + 1));
      const chats = new Map<number, number[]>();
      for (const frame of frames) {
        if (frame.type !== 'message') continue;
        chats.set(frame.chat_id, [...(chats.get(frame.chat_id) ?? []), frame.id]);
      }
      for (const [chatId, ids] of chats) {
        expect(ids).toEqual(ids.toSorted((one, other) => one - other));
        orders.set(chatId, [...(orders.get(chatId) ?? []), ids]);
      }
    }
    expect(orders.size).toBe(15);
    for (const [mine, theirs] of orders.values()) expect(mine).toEqual(theirs);
    expect(new Set(acks.map(({ id }) => id)).size).toBe(25 * 30);
  });
});

describe('reading', () => {
  it('counts what is unread, and tells both sides when it is read', async () => {
    const first = await post(31, 32, 'one');
    const second = await post(31, 32, 'two');
    await post(31, 32, 'three');
    const unread = await chat.requests.request(Chats.list, caller(32), {});
    expect(unread).toMatchObject({
      total: 1,
      items: [
        {
          id: first.chat_id,
          unread_count: 3,
          participant: { id: 31, username: 'user31', full_name: 'User 31', avatar_url: null },
          last_message: { text: 'three', sender_id: 31 },
        },
      ],
    });

    const sender = chat.listen(31);
    await chat.connection.flush();
    const result = await chat.requests.request(Messages.read, caller(32), { id: second.id });

    expect(result).toEqual({ chat_id: first.chat_id, message_id: second.id, unread_count: 1 });
    await vi.waitFor(() => expect(sender.frames).toHaveLength(1));
    expect(sender.frames[0]).toMatchObject({
      type: 'read',
      chat_id: first.chat_id,
      message_id: second.id,
      user_id: 32,
      offset: 4,
    });
    const history = await chat.requests.request(Chats.history, caller(31), { id: first.chat_id });
    expect(history.items.map(({ read }) => read)).toEqual([true, true, false]);
  });

  it('changes nothing when it goes backwards, and is refused to strangers', async () => {
    const first = await post(33, 34, 'one');
    const second = await post(33, 34, 'two');
    await chat.requests.request(Messages.read, caller(34), { id: second.id });
    const before = await log(33);

    const back = await chat.requests.request(Messages.read, caller(34), { id: first.id });

    expect(back).toEqual({ chat_id: first.chat_id, message_id: second.id, unread_count: 0 });
    expect(await log(33)).toEqual(before);
    expect(await codeOf(chat.requests.request(Messages.read, caller(35), { id: first.id }))).toBe(
      'NOT_FOUND',
    );
  });
});

describe('history', () => {
  it('is read in both directions, and is nobody else’s', async () => {
    const acks: AckDetails[] = [];
    for (let number = 1; number <= 7; number++) acks.push(await post(41, 42, `m${number}`));
    const id = acks[0]?.chat_id ?? 0;
    const read = async (query: { before?: number; after?: number; limit?: number }) => {
      const page = await chat.requests.request(Chats.history, caller(42), { id, ...query });
      return [page.items.map(({ text }) => text).join(' '), page.has_more];
    };

    expect(await read({ limit: 3 })).toEqual(['m5 m6 m7', true]);
    expect(await read({ limit: 3, before: acks[4]?.id })).toEqual(['m2 m3 m4', true]);
    expect(await read({ limit: 3, before: acks[1]?.id })).toEqual(['m1', false]);
    expect(await read({ limit: 3, after: acks[1]?.id })).toEqual(['m3 m4 m5', true]);
    expect(await codeOf(chat.requests.request(Chats.history, caller(43), { id }))).toBe(
      'NOT_FOUND',
    );
  });

  it('lists chats with the one written in last first', async () => {
    await post(51, 52, 'a');
    await post(51, 53, 'b');
    await post(54, 51, 'c');
    await post(51, 52, 'd');
    const page = await chat.requests.request(Chats.list, caller(51), { limit: 2 });
    expect(page).toMatchObject({ total: 3, pages: 2 });
    expect(page.items.map(({ participant }) => participant.id)).toEqual([52, 54]);
  });
});

describe('typing', () => {
  it('is told to the other side of a chat, and to nobody before the first message', async () => {
    const other = chat.listen(62);
    await chat.connection.flush();
    await chat.requests.request(Typing.tell, caller(61), { recipient_id: 62 });
    const { chat_id: chatId } = await post(61, 62, 'hello');
    await chat.requests.request(Typing.tell, caller(61), { recipient_id: 62 });

    await vi.waitFor(() => expect(other.frames).toHaveLength(2));
    expect(other.frames.map(({ type }) => type)).toEqual(['message', 'typing']);
    expect(other.frames[1]).toEqual({
      type: 'typing',
      user_id: 61,
      username: 'user61',
      chat_id: chatId,
    });
    expect(await codeOf(chat.requests.request(Typing.tell, caller(63), { chat_id: chatId }))).toBe(
      'NOT_FOUND',
    );
  });
});
