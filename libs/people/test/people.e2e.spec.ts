import {
  type EventContract,
  type UserSummary,
  Users,
  userEmailVerified,
  userErased,
  userExpired,
  userRegistered,
  userUpdated,
} from '@mentorhub/contracts';
import {
  Handle,
  MessagingModule,
  messagingMigrations,
  Outbox,
  ServiceTransport,
  ServiceMessagingModule,
} from '@mentorhub/messaging';
import { PersistenceModule } from '@mentorhub/persistence';
import { type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { Controller, type INestMicroservice, Module } from '@nestjs/common';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { People, PeopleModule, peopleMigrations } from '../src/index.js';

const requested: number[][] = [];
const directory = new Map<number, UserSummary>();
let beforeAnswer: () => Promise<void> = () => Promise.resolve();

/** Lets the next request wait in identity: `reached` resolves when it is there, `answer` lets it go on. */
function pauseIdentity(): { reached: Promise<void>; answer: () => void } {
  let release: (() => void) | undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  const reached = new Promise<void>((resolve) => {
    beforeAnswer = () => {
      resolve();
      return released;
    };
  });
  return { reached, answer: () => release?.() };
}

/** In place of identity: answers for the people in `directory`. */
@Controller()
class Directory {
  @Handle(Users.people)
  async people(_actor: unknown, { ids }: { ids: number[] }): Promise<{ people: UserSummary[] }> {
    requested.push(ids);
    await beforeAnswer();
    return { people: ids.flatMap((id) => directory.get(id) ?? []) };
  }
}

@Module({ controllers: [Directory] })
class DirectoryModule {}

@Module({ imports: [PeopleModule] })
class AppModule {}

const person = (user_id: number, full_name: string): UserSummary => ({
  user_id,
  username: `user${user_id}`,
  full_name,
  avatar_url: null,
  email_verified: false,
});

const settings = { locale: 'en', timezone: 'UTC' } as const;

/** An instant of one day, by its minute. */
const at = (minute: number): Date => new Date(Date.UTC(2026, 10, 25, 12, minute));

describe('a service that shows people', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  const databases: TestDatabase[] = [];
  const apps: INestMicroservice[] = [];
  let people: People;
  let dataSource: DataSource;
  let identity: INestMicroservice;

  const start = async (service: string, module: typeof AppModule): Promise<INestMicroservice> => {
    const database = await testDatabase(`people_${service}`);
    databases.push(database);
    const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(
      {
        module,
        imports: [
          PersistenceModule.forRoot({
            url: database.url,
            entities: [],
            migrations: [...messagingMigrations, ...peopleMigrations],
            runMigrations: true,
          }),
          MessagingModule.forRoot({ service, connection: { servers: nats.url } }),
          ServiceMessagingModule.forRoot({ pollIntervalMs: 50 }),
        ],
      },
      {
        inject: [ServiceTransport],
        useFactory: (transport: ServiceTransport) => ({ strategy: transport }),
        logger: false,
      },
    );
    await app.listen();
    apps.push(app);
    return app;
  };

  beforeAll(async () => {
    nats = await testNats();
    identity = await start('identity', DirectoryModule);
    const app = await start('mentorship', AppModule);
    people = app.get(People, { strict: false });
    dataSource = app.get(DataSource, { strict: false });
  });

  afterAll(async () => {
    await Promise.all(apps.map((app) => app.close()));
    await Promise.all(databases.map((database) => database.drop()));
    await nats?.stop();
  });

  beforeEach(async () => {
    requested.length = 0;
    beforeAnswer = () => Promise.resolve();
    directory.clear();
    await dataSource.query('TRUNCATE people');
  });

  const nameOf = async (id: number): Promise<string | undefined> =>
    (await people.find(dataSource.manager, [id])).get(id)?.full_name;

  const publish = <Data extends { user_id: number }>(contract: EventContract<Data>, facts: Data) =>
    identity
      .get(DataSource, { strict: false })
      .transaction((tx) =>
        identity.get(Outbox, { strict: false }).add(tx, contract, facts.user_id, facts),
      );

  it('requests someone unknown from identity once, and stores the answer', async () => {
    directory.set(1, person(1, 'Ada'));
    directory.set(2, person(2, 'Grace'));
    const first = await people.ensure([2, 1, 1, 9]);
    expect([...first.values()].map(({ full_name }) => full_name).toSorted()).toEqual([
      'Ada',
      'Grace',
    ]);
    expect(await people.ensure([1, 2])).toEqual(first);
    expect(requested).toEqual([[2, 1, 9]]);
  });

  it('sends no request for an empty list', async () => {
    expect(await people.ensure([])).toEqual(new Map());
    expect(requested).toEqual([]);
  });

  it('requests 450 people in three batches', async () => {
    const ids = Array.from({ length: 450 }, (_, index) => index + 1);
    for (const id of ids) directory.set(id, person(id, `Person ${id}`));
    expect((await people.ensure(ids)).size).toBe(450);
    expect(requested.map((batch) => batch.length)).toEqual([200, 200, 50]);
  });

  it('shows who registered, and their new name after a change', async () => {
    await publish(userRegistered, { ...person(3, 'Barbara'), ...settings, role: 'student' });
    await expect.poll(() => nameOf(3), { timeout: 5000 }).toBe('Barbara');
    await publish(userUpdated, { ...person(3, 'Barbara L.'), ...settings });
    await expect.poll(() => nameOf(3), { timeout: 5000 }).toBe('Barbara L.');
    await people.ensure([3]);
    expect(requested).toEqual([]);
  });

  it('follows the verification of an address, and the end of an account', async () => {
    await publish(userRegistered, { ...person(6, 'Edsger'), ...settings, role: 'student' });
    await publish(userEmailVerified, { user_id: 6 });
    await expect
      .poll(async () => (await people.find(dataSource.manager, [6])).get(6), { timeout: 5000 })
      .toMatchObject({ email_verified: true });
    await people.requireVerified(6);
    expect(requested).toEqual([]);
    await publish(userExpired, { user_id: 6 });
    await expect.poll(() => nameOf(6), { timeout: 5000 }).toBeUndefined();
  });

  it('refuses whose address is not verified, until identity says that it is', async () => {
    directory.set(7, person(7, 'Niklaus'));
    await people.ensure([7]);
    await expect(people.requireVerified(7)).rejects.toMatchObject({
      code: 'EMAIL_NOT_VERIFIED',
      detail: expect.stringContaining('/api/v1/email/send-verification'),
    });
    // The event of the verification is still on its way.
    directory.set(7, { ...person(7, 'Niklaus'), email_verified: true });
    await people.requireVerified(7);
    requested.length = 0;
    await people.requireVerified(7);
    expect(requested).toEqual([]);
  });

  it('lets an older event not undo a newer one, and any event overwrite an answer', async () => {
    directory.set(4, person(4, 'as answered'));
    await people.ensure([4]);
    await people.store(dataSource.manager, [person(4, 'newer')], at(2));
    await people.store(dataSource.manager, [person(4, 'older')], at(1));
    expect(await nameOf(4)).toBe('newer');
  });

  it('forgets who erased the account, whatever arrives later', async () => {
    await publish(userRegistered, { ...person(8, 'Zaphod'), ...settings, role: 'student' });
    await publish(userErased, { user_id: 8 });
    await expect.poll(() => nameOf(8), { timeout: 5000 }).toBe('');
    await people.store(dataSource.manager, [person(8, 'Zaphod')], at(2));
    await people.markVerified(dataSource.manager, 8);
    expect((await people.find(dataSource.manager, [8])).get(8)).toEqual({
      user_id: 8,
      username: '',
      full_name: '',
      avatar_url: null,
      email_verified: false,
      erased: true,
    });
  });

  it('learns from an answer, too, that somebody erased the account, before the events arrive', async () => {
    directory.set(9, { ...person(9, ''), username: '', erased: true });
    await people.ensure([9]);
    await people.store(dataSource.manager, [person(9, 'Zaphod')], at(1));
    expect(await nameOf(9)).toBe('');
    await expect(people.requireVerified(9)).rejects.toMatchObject({ code: 'EMAIL_NOT_VERIFIED' });
  });

  it('holds no connection to the database while identity answers', async () => {
    directory.set(5, person(5, 'Joan'));
    const { reached, answer } = pauseIdentity();
    const joan = people.ensure([5]);
    await reached;
    try {
      const [busy] = await dataSource.query<{ transactions: number }[]>(
        `SELECT count(*) AS transactions FROM pg_stat_activity
         WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
           AND backend_type = 'client backend'`,
      );
      expect(busy).toEqual({ transactions: 0 });
    } finally {
      answer();
    }
    expect((await joan).get(5)?.full_name).toBe('Joan');
    expect(await nameOf(5)).toBe('Joan');
  });
});
