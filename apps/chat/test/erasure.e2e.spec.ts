import {
  type Caller,
  Chats,
  Messages,
  notificationCreated,
  personalData,
  type PersonalDataSection,
  userErased,
  userRegistered,
} from '@mentorhub/contracts';
import { requestContext } from '@mentorhub/messaging';
import { Neighbours } from '@mentorhub/messaging-testing';
import { eventually } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { caller, startChat, type TestChat } from './harness.js';

let chat: TestChat;
let neighbours: Neighbours;

beforeAll(async () => {
  chat = await startChat('erasure');
  neighbours = await Neighbours.connect(chat.nats.url);
});

afterAll(async () => {
  await neighbours.close();
  await chat.stop();
});

async function handled(id: string): Promise<void> {
  await eventually('the event to be handled', async () => {
    const rows = await chat.sql.query<unknown[]>('SELECT FROM inbox WHERE event_id = $1', [id]);
    return rows.length > 0 ? true : undefined;
  });
}

async function erase(user_id: number): Promise<void> {
  await handled(await neighbours.publish(userErased, user_id, { user_id }));
}

/** Lets notifications notify user 31. */
async function notify(text: string): Promise<void> {
  const notification = {
    id: 1,
    type: 'welcome' as const,
    title: text,
    body: text,
    data: {},
    is_read: false,
    read_at: null,
    created_at: '2026-11-25T12:00:00.000Z',
  };
  await handled(
    await neighbours.publish(notificationCreated, 31, {
      user_id: 31,
      notification,
      unread_count: 1,
    }),
  );
}

async function collect(user_id: number) {
  const all = new Map<string, unknown[]>();
  let parts = 0;
  let cursor: string | undefined;
  do {
    const part: { sections: PersonalDataSection[]; next: string | null } =
      await chat.requests.request(personalData('chat').collect, undefined, { user_id, cursor });
    for (const { name, items } of part.sections) {
      all.set(name, [...(all.get(name) ?? []), ...items]);
    }
    cursor = part.next ?? undefined;
    parts += 1;
  } while (cursor !== undefined);
  return { held: all, parts };
}

const chatsOf = (actor: Caller, locale: 'en' | 'ru') =>
  requestContext.run({ requestId: 'test', locale }, () =>
    chat.requests.request(Chats.list, actor, {}),
  );

describe('a user who erases the account', () => {
  it('is a deleted user to the partners, in their language; the messages stay', async () => {
    await chat.post(11, { recipient_id: 12, text: 'Hello from me', client_id: 'a' });
    await chat.post(12, { recipient_id: 11, text: 'Hello back', client_id: 'b' });
    await erase(11);

    for (const [locale, name] of [
      ['en', 'Deleted user'],
      ['ru', 'Удалённый пользователь'],
    ] as const) {
      const { items } = await chatsOf(caller(12), locale);
      expect(items).toMatchObject([
        {
          participant: { id: 11, full_name: name, username: '', avatar_url: null },
          last_message: { text: 'Hello back' },
        },
      ]);
    }
    const [{ id } = { id: 0 }] = (await chatsOf(caller(12), 'en')).items;
    const history = await chat.requests.request(Chats.history, caller(12), { id });
    expect(history.items.map(({ text }) => text)).toEqual(['Hello from me', 'Hello back']);
  });

  it('cannot be written to by those who had no chat with them', async () => {
    await erase(21);
    const failure = await chat.requests
      .request(Messages.send, caller(22), { recipient_id: 21, text: 'Hi' })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('leaves no log of what was sent to the devices, and gets no new one', async () => {
    await chat.post(31, { recipient_id: 32, text: 'Hi', client_id: 'c' });
    const entries = () =>
      chat.sql.query<unknown[]>(
        `SELECT FROM log_entries WHERE user_id = 31 UNION ALL SELECT FROM log_inbox WHERE user_id = 31`,
      );
    await notify('Zaphod');
    await eventually('the entry', async () => ((await entries()).length > 0 ? true : undefined));
    await erase(31);
    await notify('Zaphod again');
    expect(await entries()).toEqual([]);
    // The partner goes on writing: messages are numbered in both logs.
    await chat.post(32, { recipient_id: 31, text: 'Are you there?', client_id: 'd' });
  });

  it('is not brought back by events that arrive late', async () => {
    await chat.post(41, { recipient_id: 42, text: 'Hi', client_id: 'e' });
    await erase(41);
    await handled(
      await neighbours.publish(userRegistered, 41, {
        user_id: 41,
        username: 'zaphod',
        full_name: 'Zaphod',
        avatar_url: null,
        email_verified: true,
        role: 'student',
        locale: 'en',
        timezone: 'UTC',
      }),
    );
    const { items } = await chatsOf(caller(42), 'en');
    expect(items).toMatchObject([{ participant: { full_name: 'Deleted user' } }]);
  });
});

describe('the export of chat', () => {
  it('has every message that the user wrote, in all chats, and none of the others', async () => {
    const texts: string[] = [];
    for (const partner of [52, 53, 54]) {
      await chat.post(partner, {
        recipient_id: 51,
        text: `From ${partner}`,
        client_id: `p${partner}`,
      });
    }
    for (let number = 0; number < 250; number += 1) {
      const text = `${number} ${'x'.repeat(2000)}`;
      texts.push(text);
      const recipient_id = 52 + (number % 3);
      await chat.post(51, { recipient_id, text, client_id: `n${number}` });
    }
    const { held, parts } = await collect(51);
    const messages = held.get('messages') as { id: number; chat_id: number; text: string }[];
    expect(messages.map(({ text }) => text).toSorted()).toEqual(texts.toSorted());
    expect(new Set(messages.map(({ id }) => id)).size).toBe(250);
    expect(parts).toBeGreaterThan(1);
    expect(held.get('chats')).toHaveLength(3);
    expect(JSON.stringify([...held])).not.toContain('From 5');
  });

  it('has a section for every table that names a user', async () => {
    const { held } = await collect(51);
    const tables = await chat.sql.query<{ name: string }[]>(
      `SELECT DISTINCT table_name AS name FROM information_schema.columns
       WHERE table_schema = 'public' AND column_name IN ('user_id', 'user_low', 'sender_id') ORDER BY 1`,
    );
    expect(tables.filter(({ name }) => !held.has(name))).toEqual([]);
    expect(tables.length).toBeGreaterThan(7);
  });
});
