import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DataSource } from 'typeorm';
import { addEvents, EffectsController, range, recorded } from './effects.js';
import { type Fixture, openDatabase, startService } from './fixture.js';

const script = readFileSync(
  fileURLToPath(new URL('../../../deploy/restored.sql', import.meta.url)),
  'utf8',
);

describe('a database that was restored from a backup', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  let testDb: TestDatabase;
  let database: DataSource;
  let service: Fixture | undefined;

  beforeEach(async () => {
    [nats, testDb] = await Promise.all([testNats(), testDatabase('restored')]);
    database = await openDatabase(testDb.directUrl);
  });

  afterEach(async () => {
    await service?.close();
    await database.destroy();
    await testDb.drop();
    await nats.stop();
  });

  async function start(): Promise<void> {
    service = await startService({
      databaseUrl: testDb.url,
      directUrl: testDb.directUrl,
      natsUrl: nats.url,
      controllers: [EffectsController],
    });
  }

  /** The service worked, and was stopped; of events `lost`, the broker had not delivered those that it had taken. */
  async function stoppedWithLost(lost: number[], daysAgo: number): Promise<void> {
    await start();
    await addEvents(
      database,
      range(0, 20).map((n) => [String(n % 3), { n }]),
    );
    await expect
      .poll(() => database.query('SELECT count(*)::int AS effects FROM effects'), {
        timeout: 10_000,
      })
      .toEqual([{ effects: 40 }]);
    await expect
      .poll(() => database.query('SELECT 1 FROM outbox WHERE published_at IS NULL'))
      .toEqual([]);
    await service?.close();
    service = undefined;
    await database.query(
      `WITH lost AS (DELETE FROM effects WHERE (data->>'n')::int = ANY ($1::int[]) RETURNING event_id)
       DELETE FROM inbox WHERE event_id IN (SELECT event_id FROM lost)`,
      [lost],
    );
    await database.query(
      `UPDATE outbox SET published_at = published_at - $1 * interval '1 day',
         occurred_at = occurred_at - $1 * interval '1 day'`,
      [daysAgo],
    );
    await database.query(`UPDATE inbox SET handled_at = handled_at - $1 * interval '1 day'`, [
      daysAgo,
    ]);
    await nats.kill();
    await nats.restart({ wipe: true });
  }

  async function adjustForElapsedTime(daysAgo: number): Promise<void> {
    const [{ at }]: [{ at: string }] = await database.query(
      `SELECT (now() - $1 * interval '1 day')::text AS at`,
      [daysAgo],
    );
    const runner = database.createQueryRunner();
    try {
      await runner.query(`SET mentorhub.taken_at = '${at}'`);
      await runner.query(script);
    } finally {
      await runner.release();
    }
  }

  it.each([0, 3, 30])(
    'handles what had been published and not handled, and nothing twice, %i days later',
    async (days) => {
      await stoppedWithLost([7, 8], days);
      await adjustForElapsedTime(days);
      await start();
      await expect
        .poll(() => recorded(database).then((numbers) => numbers.length), { timeout: 15_000 })
        .toBe(20);
      // Behind all that is delivered again.
      await addEvents(database, [['last', { n: 20 }]]);
      await expect.poll(() => recorded(database), { timeout: 15_000 }).toContain(20);
      for (const handler of ['recordThing', 'second']) {
        const numbers = async () =>
          (await recorded(database, handler)).toSorted((one, other) => one - other);
        await expect.poll(numbers, { timeout: 15_000 }).toEqual(range(0, 21));
      }
      expect(
        await database.query('SELECT count(DISTINCT event_id)::int AS events FROM inbox'),
      ).toEqual([{ events: 21 }]);
    },
    60_000,
  );

  it('gives out no id again that may have been given out after the backup', async () => {
    await addEvents(database, [['1', { n: 0 }]]);
    const last = async (): Promise<number> => {
      const [{ id }]: [{ id: string }] = await database.query(
        'SELECT max(id)::text AS id FROM outbox',
      );
      return Number(id);
    };
    const before = await last();
    await adjustForElapsedTime(1);
    await addEvents(database, [['1', { n: 1 }]]);
    expect(await last()).toBe(before + 1_000_001);
  });
});
