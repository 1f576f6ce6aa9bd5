import { openDatabase, runMigrations } from '@mentorhub/persistence';
import { testDatabase } from '@mentorhub/testing';
import { expect, it } from 'vitest';
import { PaymentIntents1796000000010 } from '../src/migrations/1796000000010-payment-intents.js';
import { Payment } from '../src/payments/payment.entity.js';
import { schema } from '../src/schema.js';

it('payments of the version without intents stay as they are, and can still be captured', async () => {
  const database = await testDatabase('payments_migrations');
  try {
    const before = schema.migrations.slice(
      0,
      schema.migrations.indexOf(PaymentIntents1796000000010),
    );
    const previous = { url: database.url, ...schema, migrations: before };
    await runMigrations(previous);
    const old = await openDatabase(previous);
    await old.query(`
      INSERT INTO amounts_due (id, booking_id, user_id, mentor_user_id, amount_minor, currency, description, expires_at)
      VALUES (1, 1, 7, 3, 300000, 'RUB', 'Interview', now())`);
    await old.query(`
      INSERT INTO payments (id, amount_due_id, user_id, provider, provider_reference, amount_minor, currency, expires_at,
        created_at, updated_at)
      VALUES ('pm_1', 1, 7, 'sandbox', 'sb_1', 300000, 'RUB', now(), now(), now())`);
    await old.destroy();

    await runMigrations({ url: database.url, ...schema });
    const current = await openDatabase({ url: database.url, ...schema });
    expect(await current.manager.findOneByOrFail(Payment, { id: 'pm_1' })).toMatchObject({
      providerReference: 'sb_1',
      method: 'card',
      status: 'pending',
    });
    await expect(
      current.query(`UPDATE payments SET provider_reference = NULL, status = 'succeeded'`),
    ).rejects.toMatchObject({ constraint: 'payments_captured_reference' });
    await current.destroy();
  } finally {
    await database.drop();
  }
});
