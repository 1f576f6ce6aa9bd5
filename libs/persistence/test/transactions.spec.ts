import type { TestDatabase } from '@mentorhub/testing';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  DatabaseHealth,
  poolState,
  runMigrations,
  Transactions,
  unavailable,
} from '../src/index.js';
import { emptyDatabase } from './fixtures.js';
import { gate } from './gate.js';

describe('a database connection', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let transactions: Transactions;

  beforeAll(async () => {
    const empty = await emptyDatabase('transactions');
    database = empty.database;
    await runMigrations(empty.settings);
    dataSource = await empty.connect();
    transactions = new Transactions(dataSource);
  });

  beforeEach(async () => {
    await dataSource.query('TRUNCATE counters');
    await dataSource.query(`INSERT INTO counters VALUES (1, 0, '2026-11-25'), (2, 0, NULL)`);
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const values = async (): Promise<number[]> => {
    const rows = await dataSource.query<{ value: number }[]>(
      'SELECT value FROM counters ORDER BY id',
    );
    return rows.map(({ value }) => value);
  };

  it('reads bigint, count and bigint[] as numbers and a date as text', async () => {
    const [row] = await dataSource.query<unknown[]>(
      `SELECT value, day, count(*) OVER () AS total, ARRAY[7, NULL]::bigint[] AS list, '{}'::bigint[] AS none
       FROM counters ORDER BY id`,
    );
    expect(row).toEqual({ value: 0, day: '2026-11-25', total: 2, list: [7, null], none: [] });
  });

  it('keeps nothing of a transaction whose work fails', async () => {
    await expect(
      transactions.run(async (tx) => {
        await tx.query('UPDATE counters SET value = 5');
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(await values()).toEqual([0, 0]);
  });

  it('runs the work again when PostgreSQL breaks a deadlock', async () => {
    const meet = gate();
    let arrived = 0;
    let runs = 0;
    const inOrder = (first: number, second: number): Promise<void> =>
      transactions.run(async (tx) => {
        runs += 1;
        await tx.query('UPDATE counters SET value = value + 1 WHERE id = $1', [first]);
        arrived += 1;
        if (arrived === 2) meet.open();
        await meet.opened;
        await tx.query('UPDATE counters SET value = value + 1 WHERE id = $1', [second]);
      });
    await Promise.all([inOrder(1, 2), inOrder(2, 1)]);
    expect(await values()).toEqual([2, 2]);
    expect(runs).toBe(3);
  });

  it('gives up on an error that would come again', async () => {
    let runs = 0;
    await expect(
      transactions.run(async (tx) => {
        runs += 1;
        await tx.query(`INSERT INTO counters VALUES (1, 0)`);
      }),
    ).rejects.toMatchObject({ code: '23505' });
    expect(runs).toBe(1);
  });

  it('is replaced after the server ended it, in the pool and in a transaction', async () => {
    await Promise.all(Array.from({ length: 5 }, () => dataSource.query('SELECT pg_sleep(0.05)')));
    const severed = transactions.run(async (tx) => {
      await dataSource.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()`,
      );
      await tx.query('UPDATE counters SET value = 9');
    });
    await expect(severed).rejects.toSatisfy(unavailable);
    await expect.poll(values).toEqual([0, 0]);
    await transactions.run((tx) => tx.query('UPDATE counters SET value = 1'));
    expect(await values()).toEqual([1, 1]);
  });

  it('reports how busy its pool is', async () => {
    const started = gate();
    const release = gate();
    const busy = transactions.run(async (tx) => {
      await tx.query('SELECT 1');
      started.open();
      await release.opened;
    });
    await started.opened;
    const { total, idle, waiting } = poolState(dataSource);
    expect(total - idle).toBe(1);
    expect(waiting).toBe(0);
    release.open();
    await busy;
  });

  it('is reported healthy while every connection of the pool is in use', async () => {
    const release = gate();
    const busy = Array.from({ length: 10 }, () =>
      transactions.run(async (tx) => {
        await tx.query('SELECT 1');
        await release.opened;
      }),
    );
    const health = new DatabaseHealth(dataSource);
    await expect.poll(() => poolState(dataSource)).toMatchObject({ total: 10, idle: 0 });
    await expect(health.check()).resolves.toBeUndefined();
    release.open();
    await Promise.all(busy);
    await health.onApplicationShutdown();
  });
});
