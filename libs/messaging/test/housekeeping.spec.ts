import { type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DataSource } from 'typeorm';
import { EffectsController, recorded, addEvents } from './effects.js';
import { deadLettersWaiting, outboxParked } from '../src/events/metrics.js';
import { type Fixture, openDatabase, startService } from './fixture.js';

async function valueOf(gauge: typeof outboxParked): Promise<number | undefined> {
  return (await gauge.get()).values[0]?.value;
}

const waiting = () => Promise.all([valueOf(deadLettersWaiting), valueOf(outboxParked)]);

describe('a service', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  let testDb: TestDatabase;
  let database: DataSource;
  let service: Fixture | undefined;

  beforeEach(async () => {
    testDb = await testDatabase('housekeeping');
    database = await openDatabase(testDb.directUrl);
  });

  afterEach(async () => {
    await service?.close();
    await database.destroy();
    await testDb.drop();
    await nats.stop();
  });

  async function start(options = {}): Promise<void> {
    service = await startService({
      databaseUrl: testDb.url,
      directUrl: testDb.directUrl,
      natsUrl: nats.url,
      controllers: [EffectsController],
      options,
    });
  }

  it('deletes dead letters some time after they were retried, and keeps the others', async () => {
    nats = await testNats();
    await database.query(
      `INSERT INTO dead_letters (event_id, handler, subject, envelope, error, attempts, died_at, retried_at)
       SELECT gen_random_uuid(), name, 'event.x.y.z', '{}', '', 6, now() - interval '1 year',
         now() - days * interval '1 day'
       FROM (VALUES ('retried long ago', 11), ('retried lately', 9), ('waits', NULL)) AS letters (name, days)`,
    );
    await start({ deadLetterDays: 10 });
    await expect
      .poll(() => database.query('SELECT handler FROM dead_letters ORDER BY id'), { timeout: 5000 })
      .toEqual([{ handler: 'retried lately' }, { handler: 'waits' }]);
  });

  /** An event whose subject NATS would not take. */
  async function addUnpublishable(aggregate: string, parked: boolean): Promise<void> {
    await database.query(
      `INSERT INTO outbox (event_id, subject, type, aggregate_id, version, payload, parked_at)
       VALUES (gen_random_uuid(), 'nonsense', 'x.y.z', $1, 1, '{}', CASE WHEN $2 THEN now() END)`,
      [aggregate, parked],
    );
  }

  it('reports how many dead letters and parked events wait for an operator while it leads', async () => {
    nats = await testNats();
    await database.query(
      `INSERT INTO dead_letters (event_id, handler, subject, envelope, error, attempts, retried_at)
       SELECT gen_random_uuid(), 'h', 'event.x.y.z', '{}', '', 6, retried_at
       FROM (VALUES (NULL), (NULL), (now())) AS letters (retried_at)`,
    );
    await addUnpublishable('a', true);
    await start();
    await expect.poll(waiting, { timeout: 5000 }).toEqual([2, 1]);

    // The leader parks this one itself, so it counts at once.
    await addUnpublishable('b', false);
    await expect.poll(waiting, { timeout: 5000 }).toEqual([2, 2]);
  });

  it('does without a limit of the stream on a server that cannot set its bytes aside', async () => {
    nats = await testNats({
      config: (port, directory) =>
        `listen: "127.0.0.1:${port}"\njetstream { store_dir: ${JSON.stringify(directory)}, max_file_store: 100MB }`,
    });
    await start();
    await addEvents(database, [['1', { n: 1 }]]);
    await expect.poll(() => recorded(database), { timeout: 5000 }).toEqual([1]);
    const connection = await connect({ servers: nats.url });
    const { streams } = await jetstreamManager(connection);
    expect((await streams.info('EVENTS')).config).toMatchObject({ max_bytes: -1, discard: 'new' });
    await connection.close();
  });
});
