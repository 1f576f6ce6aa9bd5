import type { TestDatabase } from '@mentorhub/testing';
import { Logger } from '@nestjs/common';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type DatabaseSettings,
  migrationsLeft,
  openDatabase,
  runMigrations,
} from '../src/index.js';
import { emptyDatabase, migrations } from './fixtures.js';

class FillCounters1790000009100 implements MigrationInterface {
  readonly name = 'FillCounters1790000009100';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('SELECT pg_sleep(0.7)');
    await queryRunner.query('INSERT INTO counters VALUES (1, 1)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DELETE FROM counters');
  }
}

class WidenCounters1790000009200 implements MigrationInterface {
  readonly name = 'WidenCounters1790000009200';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE counters ADD COLUMN note text');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE counters DROP COLUMN note');
  }
}

describe('migrations', () => {
  let database: TestDatabase;
  let settings: DatabaseSettings;
  let dataSource: DataSource;

  beforeAll(async () => {
    ({ database, settings } = await emptyDatabase('migrations'));
    dataSource = await openDatabase(settings);
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  it('run once when three replicas start together', async () => {
    expect(await migrationsLeft(dataSource)).toHaveLength(2);
    const done = await Promise.all([1, 2, 3].map(() => runMigrations(settings)));
    expect(done.flat().toSorted()).toEqual([
      'CreateCounters1790000009000',
      'CreateIdempotencyKeys1790000000100',
    ]);
    expect(await migrationsLeft(dataSource)).toEqual([]);
  });

  it('find nothing left the next time', async () => {
    expect(await runMigrations(settings)).toEqual([]);
  });

  it('leave limits of time behind for every session of the service', async () => {
    // A session that a pooler opened earlier would not have them yet.
    const service = await openDatabase({ ...settings, url: database.directUrl });
    const show = async (name: string): Promise<unknown> =>
      (await service.query<Record<string, string>[]>(`SHOW ${name}`))[0]?.[name];
    expect(await show('statement_timeout')).toBe('15s');
    expect(await show('idle_in_transaction_session_timeout')).toBe('30s');
    await service.destroy();
  });
});

describe('a migration', () => {
  let database: TestDatabase;
  let settings: DatabaseSettings;
  let service: DataSource;

  beforeEach(async () => {
    const empty = await emptyDatabase('migration');
    ({ database } = empty);
    await runMigrations(empty.settings);
    settings = { ...empty.settings, silenceLimitMs: 200 };
    service = await openDatabase(empty.settings);
    await service.query(
      `ALTER ROLE CURRENT_USER IN DATABASE ${new URL(database.url).pathname.slice(1)} SET statement_timeout = '200ms'`,
    );
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await service.destroy();
    await database.drop();
  });

  it('may take longer than any statement of the service', async () => {
    const slow = { ...settings, migrations: [...migrations, FillCounters1790000009100] };
    expect(await runMigrations(slow)).toEqual(['FillCounters1790000009100']);
    expect(await service.query('SELECT id FROM counters')).toEqual([{ id: 1 }]);
  });

  it('of one replica is waited for by the others, however long it takes', async () => {
    const slow = { ...settings, migrations: [...migrations, FillCounters1790000009100] };
    const done = await Promise.all([runMigrations(slow), runMigrations(slow)]);
    expect(done.flat()).toEqual(['FillCounters1790000009100']);
  });

  it('that does not get its table lets others pass, and is tried again', async () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const widened = { ...settings, migrations: [...migrations, WidenCounters1790000009200] };
    const report = service.createQueryRunner();
    await report.startTransaction();
    await report.query('SELECT * FROM counters');

    const done = runMigrations(widened, { lockTimeout: '100ms' });
    await expect.poll(() => warn.mock.calls.length, { timeout: 5000 }).toBeGreaterThan(0);
    expect(warn.mock.calls[0]?.[0]).toContain('needs a table that others use, attempt 1');
    await service.query('INSERT INTO counters VALUES (2, 2)');
    await report.commitTransaction();
    await report.release();

    expect(await done).toEqual(['WidenCounters1790000009200']);
    expect(await service.query('SELECT id, note FROM counters')).toEqual([{ id: 2, note: null }]);
  });
});
