import { event, type EventEnvelope } from '@mentorhub/contracts';
import { type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { Controller, type Type } from '@nestjs/common';
import type { DataSource, EntityManager } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EventWorker, OnEvent } from '../src/index.js';
import { addEvents, range, type Thing, thingEnded, thingHappened } from './effects.js';
import { type Fixture, openDatabase, startService } from './fixture.js';

function record(handler: string, { id, data }: EventEnvelope<Thing>, tx: EntityManager) {
  return tx.query('INSERT INTO effects (event_id, handler, data) VALUES ($1, $2, $3)', [
    id,
    handler,
    JSON.stringify(data),
  ]);
}

@Controller()
class OldController {
  @OnEvent(thingHappened, { key: 'begin' })
  begin(fact: EventEnvelope<Thing>, tx: EntityManager): Promise<void> {
    return record('begin', fact, tx);
  }
}

/** As a later version: another handler of the same event, and one of an event that the older version ignores. */
@Controller()
class NewController extends OldController {
  @OnEvent(thingHappened, { key: 'begin' })
  override begin(fact: EventEnvelope<Thing>, tx: EntityManager): Promise<void> {
    return record('begin', fact, tx);
  }

  @OnEvent(thingHappened, { key: 'count' })
  count(fact: EventEnvelope<Thing>, tx: EntityManager): Promise<void> {
    return record('count', fact, tx);
  }

  @OnEvent(thingEnded, { key: 'end' })
  end(fact: EventEnvelope<Thing>, tx: EntityManager): Promise<void> {
    return record('end', fact, tx);
  }
}

const things = (from: number, to: number): [string, Thing][] =>
  range(from, to).map((n) => [String(n % 3), { n }]);

const isLeader = ({ app }: Fixture): boolean => app.get(EventWorker).isLeader;

describe('an old and a new version of a service side by side', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  let testDb: TestDatabase;
  let database: DataSource;
  const services: Fixture[] = [];

  beforeEach(async () => {
    [nats, testDb] = await Promise.all([testNats(), testDatabase('versions')]);
    database = await openDatabase(testDb.directUrl);
  });

  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.close()));
    await database.destroy();
    await testDb.drop();
    await nats.stop();
  });

  async function start(controller: Type): Promise<Fixture> {
    const service = await startService({
      databaseUrl: testDb.url,
      directUrl: testDb.directUrl,
      natsUrl: nats.url,
      controllers: [controller],
    });
    services.push(service);
    return service;
  }

  const handled = async (handler: string): Promise<number[]> => {
    const rows: { n: number }[] = await database.query(
      `SELECT (data ->> 'n')::int AS n FROM effects WHERE handler = $1 ORDER BY n`,
      [handler],
    );
    return rows.map(({ n }) => n);
  };

  const joined = async (): Promise<number> =>
    (await database.query<unknown[]>('SELECT 1 FROM event_processes')).length;

  const soon = { timeout: 10_000 };

  it('the new one handles every event once it has joined, and the old one again when it is gone', async () => {
    const older = await start(OldController);
    await addEvents(database, things(0, 10));
    await expect.poll(() => handled('begin'), soon).toEqual(range(0, 10));
    expect(isLeader(older)).toBe(true);

    const newer = await start(NewController);
    await expect.poll(joined, { ...soon, interval: 1 }).toBe(2);
    await addEvents(database, things(10, 30));
    await addEvents(database, things(10, 30), thingEnded);
    await expect.poll(() => handled('end'), soon).toEqual(range(10, 30));
    await expect.poll(() => handled('count'), soon).toEqual(range(10, 30));
    expect(await handled('begin')).toEqual(range(0, 30));
    expect([isLeader(older), isLeader(newer)]).toEqual([false, true]);

    await newer.close();
    await addEvents(database, things(30, 40));
    await expect.poll(() => handled('begin'), soon).toEqual(range(0, 40));
    expect(isLeader(older)).toBe(true);
  }, 30_000);

  it('an event of a newer version than its handler knows is kept and says why', async () => {
    await start(OldController);
    await addEvents(database, things(0, 1), event<Thing>(thingHappened.type, 2));
    await expect
      .poll(
        () => database.query('SELECT handler, error FROM dead_letters WHERE retried_at IS NULL'),
        soon,
      )
      .toEqual([
        {
          handler: 'begin',
          error: expect.stringContaining(
            'mentorship.thing.happened has version 2, and begin knows version 1',
          ),
        },
      ]);
    expect(await handled('begin')).toEqual([]);
  });
});
