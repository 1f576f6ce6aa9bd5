import type { TestDatabase } from '@mentorhub/testing';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrationsLeft, runMigrations } from '../src/index.js';
import { emptyDatabase } from './fixtures.js';

describe('migrations', () => {
  let database: TestDatabase;
  let replicas: DataSource[];

  beforeAll(async () => {
    const empty = await emptyDatabase('migrations');
    database = empty.database;
    replicas = await Promise.all([empty.connect(), empty.connect(), empty.connect()]);
  });

  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.destroy()));
    await database.drop();
  });

  it('run once when three replicas start together', async () => {
    const [first] = replicas;
    expect(first && (await migrationsLeft(first))).toHaveLength(2);
    const done = await Promise.all(replicas.map(runMigrations));
    expect(done.flat().toSorted()).toEqual([
      'CreateCounters1790000009000',
      'CreateIdempotencyKeys1790000000100',
    ]);
    expect(first && (await migrationsLeft(first))).toEqual([]);
  });

  it('find nothing left the next time', async () => {
    const [first] = replicas;
    expect(first && (await runMigrations(first))).toEqual([]);
  });

  it('leave the time limit of statements as it was', async () => {
    const limits = await Promise.all(
      replicas.map((replica) =>
        replica.query<{ statement_timeout: string }[]>('SHOW statement_timeout'),
      ),
    );
    expect(limits.flat().map((row) => row.statement_timeout)).toEqual(['15s', '15s', '15s']);
  });
});
