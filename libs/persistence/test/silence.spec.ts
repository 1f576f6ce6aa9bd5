import { tcpProxy, type TcpProxy, type TestDatabase } from '@mentorhub/testing';
import type { DataSource } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  DatabaseHealth,
  type DatabaseSettings,
  openDatabase,
  poolState,
  Transactions,
  unavailable,
} from '../src/index.js';
import { guardOf } from '../src/open-database.js';
import { emptyDatabase } from './fixtures.js';

/** How long a query takes to fail as one that may be tried again. */
async function failure(query: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await expect(query).rejects.toSatisfy(unavailable);
  return performance.now() - start;
}

describe('when PostgreSQL vanishes without closing its connections', () => {
  let database: TestDatabase;
  let proxy: TcpProxy;
  let settings: DatabaseSettings;
  let dataSource: DataSource;
  let health: DatabaseHealth | undefined;

  beforeEach(async () => {
    const empty = await emptyDatabase('silence');
    ({ database } = empty);
    proxy = await tcpProxy(database.url);
    settings = { ...empty.settings, url: proxy.url, poolSize: 4 };
  });

  afterEach(async () => {
    await health?.onApplicationShutdown();
    health = undefined;
    await proxy.close();
    await dataSource.destroy();
    await database.drop();
  });

  /** Fills the pool with idle connections. */
  const warmUp = () =>
    Promise.all([1, 2, 3, 4].map(() => dataSource.query('SELECT pg_sleep(0.1)')));

  it('queries fail before their callers give up, and work again when it is back', async () => {
    dataSource = await openDatabase(settings);
    health = new DatabaseHealth(dataSource);
    health.onApplicationBootstrap();
    await health.check();
    await warmUp();
    expect(health.answers).toBe(true);

    proxy.silence();
    const running = [
      dataSource.query('SELECT 1'),
      new Transactions(dataSource).run((tx) => tx.query('SELECT 1')),
    ];
    expect(Math.max(...(await Promise.all(running.map(failure))))).toBeLessThan(4500);
    expect(health.answers).toBe(false);
    await expect(health.check()).rejects.toThrow(/timeout/);
    expect(await failure(dataSource.query('SELECT 1'))).toBeLessThan(4500);

    proxy.forward();
    const answered = async (): Promise<boolean> =>
      dataSource.query('SELECT 1').then(
        () => true,
        () => false,
      );
    await expect.poll(answered, { timeout: 5000 }).toBe(true);
    await expect.poll(() => health?.answers, { timeout: 5000 }).toBe(true);
  }, 20_000);

  it('a connection in use is given up after a time without a sign of life', async () => {
    dataSource = await openDatabase({ ...settings, silenceLimitMs: 300 });
    await warmUp();
    proxy.silence();
    expect(await failure(dataSource.query('SELECT 1'))).toBeLessThan(1000);
    expect(poolState(dataSource)).toMatchObject({ total: 3 });
    proxy.forward();
    await failure(dataSource.query('SELECT 1'));
    await failure(dataSource.query('SELECT 1'));
    await failure(dataSource.query('SELECT 1'));
    expect(await dataSource.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('connections on which answers arrive stay, however slow the others are', async () => {
    dataSource = await openDatabase(settings);
    const guard = guardOf(dataSource);
    await warmUp();
    const sleeping = dataSource.query<{ slept: string }[]>(`SELECT pg_sleep(0.3)::text AS slept`);
    const endSilent = guard?.mark();
    await dataSource.query('SELECT 1');
    endSilent?.();
    expect(await sleeping).toEqual([{ slept: '' }]);
    expect(poolState(dataSource)).toMatchObject({ total: 4, idle: 4 });
  });
});
