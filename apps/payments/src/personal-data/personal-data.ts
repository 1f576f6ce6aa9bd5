import { type PersonalDataSource, rowsByKey } from '@mentorhub/persistence';

/** What payments holds of a user, as payer and as earner. Of the other side it says the id alone. */
export const personalDataSources: readonly PersonalDataSource[] = [
  rowsByKey(
    'amounts_due',
    `SELECT id, booking_id, user_id = $1 AS you_pay, CASE user_id WHEN $1 THEN mentor_user_id ELSE user_id END AS other_user_id,
       amount_minor, currency, description, expires_at, state, created_at
     FROM amounts_due WHERE user_id = $1 OR mentor_user_id = $1`,
  ),
  rowsByKey(
    'payments',
    `SELECT id, amount_due_id, provider, provider_reference, method, amount_minor, refunded_minor, currency, status,
       expires_at, created_at, updated_at
     FROM payments WHERE user_id = $1`,
    'id',
    'text',
  ),
  rowsByKey(
    'refunds',
    `SELECT refunds.id, payment_id, refunds.amount_minor, reason, refunds.created_at
     FROM payments JOIN refunds ON payment_id = payments.id WHERE user_id = $1`,
  ),
  rowsByKey(
    'ledger_entries',
    `SELECT id, transaction_id, amount_minor, currency, payment_id, created_at
     FROM ledger_entries WHERE account = 'mentor:' || $1::integer`,
  ),
  rowsByKey(
    'idempotency_keys',
    `SELECT operation || ' ' || key AS attempt, response, created_at FROM idempotency_keys WHERE user_id = $1`,
    'attempt',
    'text',
  ),
];
