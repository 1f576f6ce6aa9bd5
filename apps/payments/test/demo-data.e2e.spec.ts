import type { DemoPayment } from '@mentorhub/contracts/demo-data';
import { openDatabase, runMigrations } from '@mentorhub/persistence';
import { testDatabase } from '@mentorhub/testing';
import { expect, it } from 'vitest';
import { seedPayments } from '../src/demo-data/seed-payments.js';
import { schema } from '../src/schema.js';

const demo = (n: number, refunded_minor: number): DemoPayment => ({
  payment_id: `pm_demo00000${n}`,
  booking_id: n,
  checkout_id: `co_demo_${n}`,
  mentee_user_id: 52,
  mentor_user_id: 2,
  amount_minor: 300_001,
  refunded_minor,
  currency: 'RUB',
  topic: 'Interview',
  paid_at: '2026-11-20T10:00:00.000Z',
  refunded_at: refunded_minor > 0 ? '2026-11-20T11:00:00.000Z' : null,
});

it('the payments of demo sessions are made once, with a ledger that sums to zero', async () => {
  const database = await testDatabase('payments_demo');
  try {
    const settings = { url: database.url, ...schema };
    await runMigrations(settings);
    const data = await openDatabase(settings);
    const payments = [demo(1, 0), demo(2, 150_001), demo(3, 300_001)];
    const seed = () => data.transaction((tx) => seedPayments(tx, payments));
    expect(await seed()).toEqual({ payments: 3 });
    expect(await seed()).toEqual({ payments: 0 });
    expect(await data.query('SELECT status FROM payments ORDER BY id')).toEqual([
      { status: 'succeeded' },
      { status: 'partially_refunded' },
      { status: 'refunded' },
    ]);
    expect(
      await data.query(
        'SELECT account, sum(amount_minor)::int AS balance FROM ledger_entries GROUP BY account ORDER BY account',
      ),
    ).toEqual([
      { account: 'mentor:2', balance: -450_001 },
      { account: 'provider:sandbox', balance: 450_001 },
    ]);
    await data.destroy();
  } finally {
    await database.drop();
  }
});
