import type { TestDatabase } from '@mentorhub/testing';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { IdempotencyCleaner } from '../src/idempotency/idempotency-cleaner.js';
import { Idempotency, runMigrations, Transactions } from '../src/index.js';
import { emptyDatabase } from './fixtures.js';

interface Answer {
  id: number;
}

const attempt = (request: unknown = { amount: 5 }) => ({
  userId: 1,
  operation: 'payments.create',
  key: 'k1',
  request,
});

describe('Idempotency', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  let transactions: Transactions;
  const idempotency = new Idempotency();
  let runs = 0;

  beforeAll(async () => {
    const empty = await emptyDatabase('idempotency');
    database = empty.database;
    await runMigrations(empty.settings);
    dataSource = await empty.connect();
    transactions = new Transactions(dataSource);
  });

  beforeEach(async () => {
    runs = 0;
    await dataSource.query('TRUNCATE idempotency_keys');
  });

  afterAll(async () => {
    await dataSource.destroy();
    await database.drop();
  });

  const pay = (
    key: string | undefined,
    request: unknown = { amount: 5 },
    work: () => Promise<Answer> = () => Promise.resolve({ id: ++runs }),
  ): Promise<Answer> =>
    transactions.run((tx) =>
      idempotency.run(tx, { userId: 1, operation: 'payments.create', key, request }, work),
    );

  const begin = (request?: unknown) =>
    transactions.run((tx) => idempotency.begin<Answer>(tx, attempt(request)));
  const complete = (answer: Answer) => idempotency.complete(dataSource.manager, attempt(), answer);

  it('answers a repetition with the first answer and does nothing', async () => {
    expect(await pay('k1', { amount: 5, currency: 'EUR' })).toEqual({ id: 1 });
    expect(await pay('k1', { currency: 'EUR', amount: 5 })).toEqual({ id: 1 });
    expect(runs).toBe(1);
  });

  it('runs the work each time without a key', async () => {
    await pay(undefined);
    expect(await pay(undefined)).toEqual({ id: 2 });
  });

  it('refuses a key that comes back with another request', async () => {
    await pay('k1');
    await expect(pay('k1', { amount: 6 })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
  });

  it('lets twenty twins at once have one effect and one answer', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => pay('k1')));
    expect(answers).toEqual(Array.from({ length: 20 }, () => ({ id: 1 })));
    expect(runs).toBe(1);
  });

  it('stores nothing when the work fails, so that it can be tried again', async () => {
    const failing = pay('k1', { amount: 5 }, () => Promise.reject(new Error('declined')));
    await expect(failing).rejects.toThrow('declined');
    expect(await pay('k1')).toEqual({ id: 1 });
  });

  it('keeps users and operations apart', async () => {
    await pay('k1');
    const other = await transactions.run((tx) =>
      idempotency.run(tx, { userId: 2, operation: 'payments.create', key: 'k1', request: {} }, () =>
        Promise.resolve('other'),
      ),
    );
    expect(other).toBe('other');
  });

  it('refuses a key that is too long', async () => {
    await expect(pay('x'.repeat(256))).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
  });

  describe('of work in several transactions', () => {
    it('answers with the first answer once the work is completed', async () => {
      expect(await begin()).toBeUndefined();
      expect(await complete({ id: 1 })).toEqual({ id: 1 });
      expect(await begin()).toEqual({ answer: { id: 1 } });
    });

    it('lets a repetition go on with work that was left, and refuses another request', async () => {
      await begin();
      expect(await begin()).toBeUndefined();
      await expect(begin({ amount: 6 })).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    });

    it('gives twins that both complete the answer of the first', async () => {
      await begin();
      expect(await complete({ id: 1 })).toEqual({ id: 1 });
      expect(await complete({ id: 2 })).toEqual({ id: 1 });
    });

    it('leaves the key free when the first step fails', async () => {
      const failing = transactions.run(async (tx) => {
        await idempotency.begin<Answer>(tx, attempt());
        throw new Error('declined');
      });
      await expect(failing).rejects.toThrow('declined');
      expect(await begin({ amount: 6 })).toBeUndefined();
    });
  });

  it('forgets a key after 24 hours, and the cleaner deletes it', async () => {
    const age = (): Promise<unknown> =>
      dataSource.query(`UPDATE idempotency_keys SET created_at = now() - interval '25 hours'`);
    await pay('k1');
    await age();
    expect(await pay('k1')).toEqual({ id: 2 });
    await age();
    await pay('k2');
    expect(await new IdempotencyCleaner(dataSource).clean()).toBe(1);
    expect(await dataSource.query('SELECT key FROM idempotency_keys')).toEqual([{ key: 'k2' }]);
  });
});
