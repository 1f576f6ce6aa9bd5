import {
  type EventContract,
  type UserSummary,
  Users,
  userRegistered,
  userUpdated,
} from '@mentorhub/contracts';
import {
  Handle,
  MessagingModule,
  messagingMigrations,
  Outbox,
  ServiceTransport,
} from '@mentorhub/messaging';
import { PersistenceModule } from '@mentorhub/persistence';
import { type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { Controller, type INestMicroservice, Module } from '@nestjs/common';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { People, PeopleModule, peopleMigrations } from '../src/index.js';

const asked: number[][] = [];
const directory = new Map<number, UserSummary>();

/** Stands for identity: answers for the people in `directory`. */
@Controller()
class Directory {
  @Handle(Users.people)
  async people(_actor: unknown, { ids }: { ids: number[] }): Promise<{ people: UserSummary[] }> {
    asked.push(ids);
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
          MessagingModule.forService({ pollIntervalMs: 50 }),
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
    asked.length = 0;
    directory.clear();
    await dataSource.query('TRUNCATE people');
  });

  const nameOf = async (id: number): Promise<string | undefined> =>
    (await people.find(dataSource.manager, [id])).get(id)?.full_name;

  const tell = <Data extends UserSummary>(contract: EventContract<Data>, facts: Data) =>
    identity
      .get(DataSource, { strict: false })
      .transaction((tx) =>
        identity.get(Outbox, { strict: false }).add(tx, contract, facts.user_id, facts),
      );

  it('asks identity for someone unknown once, and remembers', async () => {
    directory.set(1, person(1, 'Ada'));
    directory.set(2, person(2, 'Grace'));
    const first = await people.ensure(dataSource.manager, [2, 1, 1, 9]);
    expect([...first.values()].map(({ full_name }) => full_name).toSorted()).toEqual([
      'Ada',
      'Grace',
    ]);
    expect(await people.ensure(dataSource.manager, [1, 2])).toEqual(first);
    expect(asked).toEqual([[2, 1, 9]]);
  });

  it('asks for nobody when nobody is wanted', async () => {
    expect(await people.ensure(dataSource.manager, [])).toEqual(new Map());
    expect(asked).toEqual([]);
  });

  it('asks for 450 people in three requests', async () => {
    const ids = Array.from({ length: 450 }, (_, index) => index + 1);
    for (const id of ids) directory.set(id, person(id, `Person ${id}`));
    expect((await people.ensure(dataSource.manager, ids)).size).toBe(450);
    expect(asked.map((batch) => batch.length)).toEqual([200, 200, 50]);
  });

  it('knows who registered, and follows a change of name', async () => {
    await tell(userRegistered, { ...person(3, 'Barbara'), ...settings, role: 'student' });
    await expect.poll(() => nameOf(3), { timeout: 5000 }).toBe('Barbara');
    await tell(userUpdated, { ...person(3, 'Barbara L.'), ...settings });
    await expect.poll(() => nameOf(3), { timeout: 5000 }).toBe('Barbara L.');
    await people.ensure(dataSource.manager, [3]);
    expect(asked).toEqual([]);
  });

  it('lets an older event not undo a newer one, and any event overwrite an answer', async () => {
    directory.set(4, person(4, 'as answered'));
    await people.ensure(dataSource.manager, [4]);
    await people.store(dataSource.manager, [person(4, 'newer')], at(2));
    await people.store(dataSource.manager, [person(4, 'older')], at(1));
    expect(await nameOf(4)).toBe('newer');
  });

  it('keeps what it learned in a transaction only when that commits', async () => {
    directory.set(5, person(5, 'Joan'));
    const failing = dataSource.transaction(async (tx) => {
      await people.ensure(tx, [5]);
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    expect(await nameOf(5)).toBeUndefined();
  });
});
