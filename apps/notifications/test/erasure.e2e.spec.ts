import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ApplicationError,
  bookingCancelled,
  type BookingCancelled,
  chatRead,
  type EventContract,
  messageSent,
  type NotificationView,
  Notifications,
  personalData,
  reviewCreated,
  userErased,
  userRegistered,
  Users,
  userUpdated,
} from '@mentorhub/contracts';
import { Neighbours } from '@mentorhub/messaging-testing';
import { createService, type RunningService } from '@mentorhub/service-kit';
import { eventually, type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { ConsoleLogger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appModule } from '../src/app.module.js';
import { readConfig } from '../src/config.js';

let database: TestDatabase;
let nats: Awaited<ReturnType<typeof testNats>>;
let mailDirectory: string;
let service: RunningService;
let neighbours: Neighbours;
let data: DataSource;
let lastUser = 100;

beforeAll(async () => {
  [database, nats] = await Promise.all([testDatabase('erasure'), testNats()]);
  mailDirectory = await mkdtemp(join(tmpdir(), 'mentorhub-mail-'));
  service = await createService({
    name: 'notifications',
    config: readConfig({
      PROFILE: 'local',
      MANAGEMENT_PORT: '0',
      RUN_MIGRATIONS: 'true',
      DATABASE_URL_NOTIFICATIONS: database.url,
      DATABASE_DIRECT_URL_NOTIFICATIONS: database.directUrl,
      NATS_URL: nats.url,
      MAIL_DIRECTORY: mailDirectory,
    }),
    module: appModule,
    logger: new ConsoleLogger({ logLevels: [] }),
  });
  data = service.app.get(DataSource);
  neighbours = await Neighbours.connect(nats.url);
  // As identity answers for those who are erased; mails stay in the queue of all others.
  neighbours.answer(Users.contact, ({ user_id }) => {
    throw user_id % 2 === 1
      ? ApplicationError.notFound('The user')
      : new ApplicationError('SERVICE_UNAVAILABLE', 'Away.');
  });
});

afterAll(async () => {
  await neighbours.close();
  await service.close();
  await nats.stop();
  await database.drop();
  await rm(mailDirectory, { recursive: true, force: true });
});

async function publish<Data>(
  event: EventContract<Data>,
  aggregateId: number,
  payload: Data,
): Promise<void> {
  const id = await neighbours.publish(event, aggregateId, payload);
  await eventually(`${event.type} to be handled`, async () => {
    const rows = await data.query<unknown[]>('SELECT FROM inbox WHERE event_id = $1', [id]);
    return rows.length > 0 ? true : undefined;
  });
}

/** A user of whom this service knows the language; one with an odd id is to be erased. */
async function person(isToBeErased: boolean, name: string, locale: 'en' | 'ru' = 'en') {
  lastUser += 2;
  const user_id = isToBeErased ? lastUser + 1 : lastUser;
  const summary = {
    user_id,
    username: `person${user_id}`,
    full_name: name,
    avatar_url: null,
    email_verified: true,
    locale,
    timezone: 'UTC',
  };
  await publish(userRegistered, user_id, { ...summary, role: 'student' });
  return { user_id, summary };
}

const erase = (user_id: number) => publish(userErased, user_id, { user_id });

async function list(user_id: number): Promise<NotificationView[]> {
  return (await neighbours.ask(Notifications.list, user_id, {})).items;
}

const cancelled = (
  mentor: number,
  mentee: number,
  names: { mentor: string; mentee: string },
): BookingCancelled => ({
  booking_id: 1,
  mentor_id: 1,
  mentor_user_id: mentor,
  mentor_name: names.mentor,
  mentee_user_id: mentee,
  mentee_name: names.mentee,
  starts_at: '2026-11-26T12:00:00.000Z',
  ends_at: '2026-11-26T13:00:00.000Z',
  timezone: 'UTC',
  topic: 'Interview',
  status: 'cancelled_by_mentee',
  payment_status: 'paid',
  price_minor: 300_000,
  currency: 'RUB',
  cancelled_by: 'mentee',
  reason: 'Zaphod has two heads',
  refund_minor: 0,
});

/** Tables with a text in any of their rows. */
async function placesOf(text: string): Promise<string[]> {
  const tables = await data.query<{ name: string }[]>(
    `SELECT table_name AS name FROM information_schema.tables
     WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> 'outbox'`,
  );
  const places: string[] = [];
  for (const { name } of tables) {
    const rows = await data.query<unknown[]>(
      `SELECT FROM "${name}" AS held WHERE position($1 IN held::text) > 0`,
      [text],
    );
    if (rows.length > 0) places.push(name);
  }
  return places;
}

describe('a user who erases the account', () => {
  it('has nothing left: notifications, queued mails, language, what was read', async () => {
    const { user_id } = await person(true, 'Zaphod Beeblebrox');
    await publish(reviewCreated, 1, {
      review_id: 1,
      booking_id: 1,
      mentor_id: 1,
      mentor_user_id: user_id,
      author_user_id: 2,
      author_name: 'Trillian',
      rating: 5,
    });
    await publish(chatRead, user_id, { reads: [{ user_id, chat_id: 1, message_id: 1 }] });
    expect(await list(user_id)).toHaveLength(2);
    await erase(user_id);
    const tables = await data.query<{ name: string }[]>(
      `SELECT table_name AS name FROM information_schema.columns
       WHERE table_schema = 'public' AND column_name = 'user_id' ORDER BY 1`,
    );
    for (const { name } of tables.filter((table) => table.name !== 'erased_users')) {
      const rows = await data.query<unknown[]>(`SELECT FROM ${name} WHERE user_id = $1`, [user_id]);
      expect({ name, rows: rows.length }).toEqual({ name, rows: 0 });
    }
    expect(tables.length).toBeGreaterThan(5);
  });

  it('is a deleted user in what others were told before, in their language', async () => {
    const zaphod = await person(true, 'Zaphod Beeblebrox');
    const mentor = await person(false, 'Slartibartfast', 'ru');
    const event = cancelled(mentor.user_id, zaphod.user_id, {
      mentor: 'Slartibartfast',
      mentee: 'Zaphod Beeblebrox',
    });
    await publish(bookingCancelled, 1, event);
    await publish(messageSent, 1, {
      sent_at: '2026-11-25T12:00:00.000Z',
      messages: [
        {
          message_id: 1,
          chat_id: 9,
          sender_id: zaphod.user_id,
          sender_name: 'Zaphod Beeblebrox',
          recipient_ids: [mentor.user_id],
        },
      ],
    });
    const before = await list(mentor.user_id);
    expect(before.filter(({ title }) => title.includes('Zaphod'))).toHaveLength(2);

    await erase(zaphod.user_id);

    const after = await list(mentor.user_id);
    expect(after.map(({ id, type }) => [id, type])).toEqual(
      before.map(({ id, type }) => [id, type]),
    );
    const named = after.filter(({ title, body }) =>
      `${title} ${body}`.includes('Удалённый пользователь'),
    );
    expect(named.map(({ type }) => type).toSorted()).toEqual(['new_message', 'session_cancelled']);
    expect(await placesOf('Zaphod')).toEqual([]);
  });

  it('is not brought back by events that arrive late', async () => {
    const zaphod = await person(true, 'Zaphod Beeblebrox');
    const mentor = await person(false, 'Slartibartfast');
    await erase(zaphod.user_id);
    await erase(zaphod.user_id);

    await publish(userUpdated, zaphod.user_id, zaphod.summary);
    await publish(userRegistered, zaphod.user_id, { ...zaphod.summary, role: 'student' });
    const names = { mentor: 'Slartibartfast', mentee: 'Zaphod Beeblebrox' };
    await publish(bookingCancelled, 2, cancelled(mentor.user_id, zaphod.user_id, names));
    await publish(bookingCancelled, 3, {
      ...cancelled(mentor.user_id, zaphod.user_id, names),
      cancelled_by: 'mentor',
    });
    const message = { chat_id: 7, sent_at: '2026-11-25T12:00:00.000Z' };
    await publish(messageSent, 2, {
      sent_at: message.sent_at,
      messages: [
        {
          message_id: 2,
          chat_id: 7,
          sender_id: zaphod.user_id,
          sender_name: 'Zaphod Beeblebrox',
          recipient_ids: [mentor.user_id],
        },
        {
          message_id: 3,
          chat_id: 7,
          sender_id: mentor.user_id,
          sender_name: 'Slartibartfast',
          recipient_ids: [zaphod.user_id],
        },
      ],
    });
    expect(await list(zaphod.user_id)).toEqual([]);
    expect((await list(mentor.user_id)).map(({ title }) => title)).toEqual(
      expect.arrayContaining([expect.stringContaining('Deleted user')]),
    );
    expect(await placesOf('Zaphod')).toEqual([]);
    for (const table of ['recipients', 'mails', 'deferred_notifications', 'notifications']) {
      const rows = await data.query<unknown[]>(`SELECT FROM ${table} WHERE user_id = $1`, [
        zaphod.user_id,
      ]);
      expect({ table, rows: rows.length }).toEqual({ table, rows: 0 });
    }
  });
});

describe('the export of notifications', () => {
  it('has a section for every table that names a user, with the rows of that user alone', async () => {
    const own = await person(false, 'Trillian');
    const other = await person(false, 'Arthur Dent');
    await publish(chatRead, own.user_id, {
      reads: [{ user_id: own.user_id, chat_id: 5, message_id: 6 }],
    });
    const { sections, next } = await neighbours.ask(
      personalData('notifications').collect,
      undefined,
      { user_id: own.user_id },
    );
    expect(next).toBeNull();
    const held = Object.fromEntries(sections.map(({ name, items }) => [name, items]));
    expect(held).toMatchObject({
      recipients: [{ locale: 'en', timezone: 'UTC' }],
      notifications: [{ type: 'welcome', params: { name: 'Trillian' } }],
      chat_reads: [{ chat_id: 5, message_id: 6 }],
    });
    expect(JSON.stringify(held)).not.toContain('Arthur');
    expect(other.user_id).not.toBe(own.user_id);
    const tables = await data.query<{ name: string }[]>(
      `SELECT table_name AS name FROM information_schema.columns
       WHERE table_schema = 'public' AND column_name = 'user_id' AND table_name <> 'erased_users'`,
    );
    expect(tables.filter(({ name }) => !(name in held))).toEqual([]);
  });
});
