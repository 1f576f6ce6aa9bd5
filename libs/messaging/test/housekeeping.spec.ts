import { type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DataSource } from 'typeorm';
import { EffectsController, recorded, addEvents } from './effects.js';
import { type Fixture, openDatabase, startService } from './fixture.js';

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
