import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import {
  type AckDetails,
  type ApplicationError,
  type ChatRead,
  Chats,
  type DurableFrame,
  EventLog,
  type LogCursor,
  Messages,
  Presence,
  type SocketPost,
  Typing,
} from '@mentorhub/contracts';
import { requestContext } from '@mentorhub/messaging';
import { headers } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Pool } from 'pg';
import { MessageStore } from '../src/messages/message-store.js';
import { ReadPublisher } from '../src/messages/read-publisher.js';
import { ReceiptsService } from '../src/messages/receipts.service.js';
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
  const { epoch } = await chat.requests.request(EventLog.head, caller(userId), {});
  let from: LogCursor = { epoch, offset: 0 };
  for (;;) {
    const slice = await chat.requests.request(EventLog.read, caller(userId), {
      ...from,
      limit: 70,
    });
    frames.push(...slice.frames);
    if (!slice.has_more) return frames;
    from = {
      epoch: slice.epoch,
      offset: slice.offset,
      after_message_id: slice.after_message_id,
    };
  }
}

/** What was published of who read a chat, the first event first. */
async function readsOf(chatId: number): Promise<ChatRead[]> {
  const rows = await chat.sql.query<{ payload: { reads: ChatRead[] } }[]>(
    `SELECT payload FROM outbox WHERE type = 'chat.chat.read' ORDER BY id`,
  );
  return rows.flatMap(({ payload }) => payload.reads).filter((read) => read.chat_id === chatId);
}

describe('sending', () => {
  it('stores a message, logs it for both and signals the sockets of both', async () => {
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

  it('refuses the first message of who has no verified address, and takes answers', async () => {
    chat.unverified.add(901);
    await expect(post(901, 902, 'Hello stranger')).rejects.toMatchObject({
      code: 'EMAIL_NOT_VERIFIED',
    });
    const refused = await chat.requests
      .request(Messages.send, caller(901), { recipient_id: 902, text: 'Hello stranger' })
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'EMAIL_NOT_VERIFIED' });
    await post(902, 901, 'Hello');
    await post(901, 902, 'An answer');
    // A verification counts from the next message on.
    chat.unverified.delete(901);
    await post(901, 903, 'Hello');
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

/** Sends a request that no gateway would. */
async function sendRaw(subject: string, body: string, user?: number): Promise<unknown> {
  const sent = headers();
  if (user !== undefined) sent.append('Caller', JSON.stringify(caller(user)));
  const reply = await chat.connection.request(subject, body, { timeout: 5000, headers: sent });
  return reply.json();
}

function refusal(field: string): object {
  return {
    code: 'VALIDATION_FAILED',
    errors: [{ field, message: expect.stringContaining('must be') }],
  };
}

describe('a malformed request', () => {
  it.each([
    ['no message', 'null', 'message'],
    ['a text for a message', '"text"', 'message'],
    ['no text', '{"recipient_id":19}', 'text'],
    ['a number for a text', '{"recipient_id":19,"text":7}', 'text'],
    ['an empty text', '{"recipient_id":19,"text":""}', 'text'],
    ['a long text', JSON.stringify({ recipient_id: 19, text: '😀'.repeat(4001) }), 'text'],
    [
      'an object for a client_id',
      '{"recipient_id":19,"text":"a","client_id":{"length":1}}',
      'client_id',
    ],
    ['null for a client_id', '{"recipient_id":19,"text":"a","client_id":null}', 'client_id'],
    [
      'a long client_id',
      JSON.stringify({ recipient_id: 19, text: 'a', client_id: 'x'.repeat(65) }),
      'client_id',
    ],
    ['a text for a recipient_id', '{"recipient_id":"19","text":"a"}', 'recipient_id'],
    ['a huge recipient_id', '{"recipient_id":1e300,"text":"a"}', 'recipient_id'],
    ['a list for a chat_id', '{"chat_id":[1],"text":"a"}', 'chat_id'],
  ])('with %s is refused, and the post beside it stored', async (_what, message, field) => {
    const good = '{"sender_id":18,"message":{"recipient_id":19,"text":"good"}}';
    const bad = `{"sender_id":18,"message":${message}}`;
    expect(await sendRaw(Messages.post.subject, `{"posts":[${bad},${good}]}`)).toEqual({
      answers: [{ problem: expect.objectContaining(refusal(field)) }, { ack: expect.anything() }],
    });
  });

  it.each([
    [Messages.post.subject, '{"posts":[{"sender_id":18,"origin":5,"message":{}}]}', 'posts'],
    [Presence.report.subject, '', ''],
    [Presence.report.subject, '{"came":[],"went":[]}', 'gateway_id'],
    [Presence.report.subject, '{"gateway_id":"g","came":7,"went":[]}', 'came'],
    [Presence.report.subject, '{"gateway_id":"g","came":[],"went":["1"]}', 'went'],
    [Presence.report.subject, '{"gateway_id":"g","came":[],"went":[],"number":{}}', 'number'],
    [Presence.report.subject, '{"gateway_id":"g","came":[],"went":[],"reset":1}', 'reset'],
    [Typing.show.subject, '', ''],
    [Typing.show.subject, 'null', ''],
    [Typing.show.subject, '{"chat_id":"1"}', 'chat_id'],
    [Typing.show.subject, '{"recipient_id":{"a":1}}', 'recipient_id'],
  ])('for %s, %s, is refused', async (subject, body, field) => {
    expect(await sendRaw(subject, body, 18)).toMatchObject(refusal(field));
  });

  it('leaves the service as it was', async () => {
    expect(await post(18, 20, 'hello')).toMatchObject({ offset: expect.any(Number) });
  });
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

/** Locks the log of a user, as a stalled transaction does. */
async function lockLog(userId: number): Promise<() => Promise<void>> {
  const runner = chat.sql.createQueryRunner();
  await runner.startTransaction();
  await runner.query('SELECT FROM user_logs WHERE user_id = $1 FOR UPDATE', [userId]);
  return async () => {
    await runner.commitTransaction();
    await runner.release();
  };
}

describe('a locked log', () => {
  it('holds up the messages of its user only, which follow in their order', async () => {
    await post(81, 82, 'opens the chat');
    const release = await lockLog(82);
    const sockets = chat.listen(82);
    const waiting: Promise<AckDetails>[] = [];
    const settled: string[] = [];
    for (let number = 0; number < 150; number++) {
      const ack = post(81, 82, `m${number}`);
      waiting.push(ack);
      void ack.then(() => settled.push(`m${number}`));
    }

    for (let number = 0; number < 20; number++) await post(83, 84, `of others ${number}`);
    const also = await post(81, 85, 'to another');

    expect(settled).toEqual([]);
    expect(also).toMatchObject({ offset: 2 });
    await release();
    const acks = await Promise.all(waiting);
    expect(acks.map(({ offset }) => offset)).toEqual(acks.map((_, index) => index + 3));
    await vi.waitFor(() => expect(sockets.messages).toHaveLength(150));
    const texts = (await log(82)).map((frame) => (frame.type === 'message' ? frame.content : ''));
    expect(texts).toEqual(['opens the chat', ...acks.map((_, index) => `m${index}`)]);
  });

  it('that stays locked has the message refused, and nothing stored', async () => {
    await post(86, 87, 'opens the chat');
    const release = await lockLog(86);
    expect(await codeOf(post(86, 87, 'in vain'))).toBe('SERVICE_UNAVAILABLE');
    await release();
    expect(await log(87)).toHaveLength(1);
    expect(await post(86, 87, 'again')).toMatchObject({ offset: 2 });
  }, 10_000);
});

it('sorts out repeated client_ids before a statement fails, after the first one also those of another replica', async () => {
  await Promise.all([post(91, 92, 'a', 'first'), post(93, 94, 'b', 'other')]);
  const store = chat.service.app.get(MessageStore);
  const insert = vi.spyOn(store, 'insert');
  const failures = async () =>
    (await Promise.allSettled(insert.mock.results.map(({ value }) => value))).filter(
      ({ status }) => status === 'rejected',
    ).length;
  const batch = (from: number, to: number, known: string) =>
    chat.requests.request(Messages.post, undefined, {
      posts: [socketPost(from, to, 'known', known), socketPost(to, from, 'new')],
    });

  expect((await batch(91, 92, 'first')).answers).toMatchObject([
    { ack: { duplicate: true } },
    { ack: { offset: 2 } },
  ]);
  expect(await failures()).toBe(0);

  // As if another replica had stored it: met once, and looked for in the batches that follow.
  await chat.sql.query(
    `UPDATE messages SET client_id = client_id || '-of-another' WHERE sender_id IN (91, 93)`,
  );
  await batch(91, 92, 'first-of-another');
  expect(await failures()).toBe(1);
  expect((await batch(93, 94, 'other-of-another')).answers).toMatchObject([
    { ack: { duplicate: true } },
    { ack: { offset: 2 } },
  ]);
  expect(await failures()).toBe(1);
  insert.mockRestore();
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

it('blames a text that cannot be stored on its sender, and stores those sent with it', async () => {
  // Chats that are known already are written to at once, together.
  await Promise.all([post(275, 276, 'hello'), post(277, 278, 'hello')]);
  const { answers } = await chat.requests.request(Messages.post, undefined, {
    posts: [
      { ...socketPost(275, 276, 'bad'), message: { recipient_id: 276, text: 'a\0b' } },
      socketPost(277, 278, 'good'),
    ],
  });
  expect(answers).toMatchObject([
    { problem: { code: 'VALIDATION_FAILED' } },
    { ack: { offset: 2 } },
  ]);
  expect(await log(278)).toMatchObject([{ content: 'hello' }, { content: 'good' }]);
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
  it('counts unread messages, and notifies both sides when they are read', async () => {
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

  it('publishes once what was read again and again, up to the last message', async () => {
    const sent: AckDetails[] = [];
    for (let n = 0; n < 20; n++) sent.push(await post(51, 52, `message ${n}`));
    const chatId = sent[0]?.chat_id ?? 0;
    const publisher = chat.service.app.get(ReadPublisher);
    // Keeps the sweep away, so that all reads meet in one event.
    const sweep = vi.spyOn(publisher, 'publish').mockResolvedValue(0);
    for (const { id } of sent) await chat.requests.request(Messages.read, caller(52), { id });
    await chat.requests.request(Messages.read, caller(52), { id: sent[3]?.id ?? 0 });
    sweep.mockRestore();

    await vi.waitFor(async () => {
      expect(await readsOf(chatId)).toEqual([
        { chat_id: chatId, user_id: 52, message_id: sent.at(-1)?.id },
      ]);
    });
  });

  it('publishes the last message of readers at the same time, beside two publishers', async () => {
    const sent: AckDetails[] = [];
    for (let n = 0; n < 30; n++) sent.push(await post(53, 54, `message ${n}`));
    const chatId = sent[0]?.chat_id ?? 0;
    const publisher = chat.service.app.get(ReadPublisher);
    await Promise.all(
      sent.flatMap(({ id }) => [
        chat.requests.request(Messages.read, caller(54), { id }),
        publisher.publish(),
        publisher.publish(),
      ]),
    );
    await vi.waitFor(async () => {
      expect((await readsOf(chatId)).at(-1)?.message_id).toBe(sent.at(-1)?.id);
    });
    expect(await chat.sql.query('SELECT FROM unpublished_reads')).toEqual([]);
  });

  it('counts as if each message were counted every time, whatever is read in whatever order', async () => {
    const sent: { id: number; sender: number }[] = [];
    let readTo = 0;
    // The same numbers in every run.
    let state = 7;
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((state / 2_147_483_648) * below);
    };
    for (let step = 0; step < 120; step++) {
      const sender = random(3) === 0 ? 37 : 36;
      sent.push({ id: (await post(sender, sender === 36 ? 37 : 36, `m${step}`)).id, sender });
      if (random(3) > 0) continue;
      const { id } = sent[random(sent.length)] ?? { id: 0 };
      readTo = Math.max(readTo, id);
      const unread = sent.filter((message) => message.id > readTo && message.sender === 36).length;
      const result = await chat.requests.request(Messages.read, caller(37), { id });
      expect(result).toMatchObject({ message_id: readTo, unread_count: unread });
      const { items } = await chat.requests.request(Chats.list, caller(37), {});
      expect(items[0]?.unread_count).toBe(unread);
    }
  });

  it('goes on from a long count, and from the start where an older version has read', async () => {
    const ids: number[] = [];
    for (let round = 0; round < 6; round++) {
      const acks = await Promise.all(Array.from({ length: 100 }, () => post(38, 39, 'm')));
      ids.push(...acks.map(({ id }) => id).toSorted((one, other) => one - other));
    }
    const unread = async () =>
      (await chat.requests.request(Chats.list, caller(39), {})).items[0]?.unread_count;
    expect(await unread()).toBe(600);
    const kept = 'SELECT unread_count FROM participants WHERE user_id = 39';
    expect(await chat.sql.query(kept)).toEqual([{ unread_count: 600 }]);
    await post(38, 39, 'one more');
    expect(await unread()).toBe(601);
    const result = await chat.requests.request(Messages.read, caller(39), { id: ids[99] ?? 0 });
    expect(result.unread_count).toBe(501);

    await chat.sql.query('UPDATE participants SET last_read_message_id = $1 WHERE user_id = 39', [
      ids[199],
    ]);
    expect(await unread()).toBe(401);
  });

  it('is one round trip to the database, and one move when many devices read at once', async () => {
    const acks: AckDetails[] = [];
    for (let number = 0; number < 30; number++) acks.push(await post(64, 65, `m${number}`));
    const replica = await chat.startReplica();
    const { master: pool } = chat.sql.driver as unknown as { master: Pool };
    // The relay and the health check use the pool as well.
    const inside = new AsyncLocalStorage<boolean>();
    const used: string[] = [];
    const spies = (['query', 'connect'] as const).map((method) => {
      const original = pool[method].bind(pool) as (...values: unknown[]) => unknown;
      return vi.spyOn(pool, method).mockImplementation(((...values: unknown[]) => {
        if (inside.getStore()) used.push(method);
        return original(...values);
      }) as never);
    });
    await inside.run(true, () =>
      chat.service.app.get(ReceiptsService).readUpTo(caller(65), acks[0]?.id ?? 0),
    );
    // A query of the pool takes a connection for itself.
    expect(used).toEqual(['query', 'connect']);
    for (const spy of spies) spy.mockRestore();

    const results = await Promise.all(
      acks.map(({ id }) => chat.requests.request(Messages.read, caller(65), { id })),
    );
    await replica.close();

    expect(Math.max(...results.map(({ message_id: id }) => id))).toBe(acks.at(-1)?.id);
    const frames = await log(64);
    expect(frames.map(({ offset }) => offset)).toEqual(frames.map((_, index) => index + 1));
    const receipts = frames.flatMap((frame) => (frame.type === 'read' ? frame.message_id : []));
    expect(receipts).toEqual(receipts.toSorted((one, other) => one - other));
    expect(receipts.at(-1)).toBe(acks.at(-1)?.id);
    const { items } = await chat.requests.request(Chats.list, caller(65), {});
    expect(items[0]?.unread_count).toBe(0);
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

  it('comes in pages of 600 KB, however long the messages are', async () => {
    const text = 'щ'.repeat(4000);
    let id = 0;
    for (let number = 0; number < 95; number++) id = (await post(44, 45, text)).chat_id;
    const pagesOf = async (query: 'before' | 'after'): Promise<number[][]> => {
      const pages: number[][] = [];
      for (let from = query === 'after' ? 0 : Number.MAX_SAFE_INTEGER; ;) {
        const page = await chat.requests.request(Chats.history, caller(45), {
          id,
          limit: 100,
          [query]: from,
        });
        expect(Buffer.byteLength(JSON.stringify(page.items))).toBeLessThanOrEqual(600_001);
        const ids = page.items.map((message) => message.id);
        pages.push(ids);
        if (!page.has_more) return pages;
        from = (query === 'after' ? ids.at(-1) : ids[0]) ?? 0;
      }
    };

    const forward = await pagesOf('after');
    const backward = await pagesOf('before');

    expect(forward.flat()).toHaveLength(95);
    expect(forward).toHaveLength(2);
    expect(backward.toReversed().flat()).toEqual(forward.flat());
    const { items } = await chat.requests.request(Chats.list, caller(45), {});
    expect(items[0]?.last_message?.text).toBe('щ'.repeat(1000));
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
  it('is shown to the other side of a chat, and to nobody before the first message', async () => {
    const other = chat.listen(62);
    await chat.connection.flush();
    await chat.requests.request(Typing.show, caller(61), { recipient_id: 62 });
    const { chat_id: chatId } = await post(61, 62, 'hello');
    await chat.requests.request(Typing.show, caller(61), { recipient_id: 62 });

    await vi.waitFor(() => expect(other.frames).toHaveLength(2));
    expect(other.frames.map(({ type }) => type)).toEqual(['message', 'typing']);
    expect(other.frames[1]).toEqual({
      type: 'typing',
      user_id: 61,
      username: 'user61',
      chat_id: chatId,
    });
    expect(await codeOf(chat.requests.request(Typing.show, caller(63), { chat_id: chatId }))).toBe(
      'NOT_FOUND',
    );
  });
});
