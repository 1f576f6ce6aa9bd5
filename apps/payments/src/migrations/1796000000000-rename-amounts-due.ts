import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Renames the tables and columns of what is due to `amounts_due`, and the ledger's `settlement` to `capture`. */
export class RenameAmountsDue1796000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await rename(queryRunner, 'payables', 'amounts_due', [
      ['payables_booking_id', 'amounts_due_booking_id'],
      ['payables_checkout_id', 'amounts_due_checkout_id'],
      ['payables_amount', 'amounts_due_amount'],
      ['payables_currency', 'amounts_due_currency'],
      ['payables_state', 'amounts_due_state'],
      ['payables_pkey', 'amounts_due_pkey'],
    ]);
    await queryRunner.query('ALTER TABLE payments RENAME COLUMN payable_id TO amount_due_id');
    await queryRunner.query('ALTER INDEX payments_payable_id RENAME TO payments_amount_due_id');
    await renameKind(queryRunner, 'settlement', 'capture');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await renameKind(queryRunner, 'capture', 'settlement');
    await queryRunner.query('ALTER INDEX payments_amount_due_id RENAME TO payments_payable_id');
    await queryRunner.query('ALTER TABLE payments RENAME COLUMN amount_due_id TO payable_id');
    await rename(queryRunner, 'amounts_due', 'payables', [
      ['amounts_due_booking_id', 'payables_booking_id'],
      ['amounts_due_checkout_id', 'payables_checkout_id'],
      ['amounts_due_amount', 'payables_amount'],
      ['amounts_due_currency', 'payables_currency'],
      ['amounts_due_state', 'payables_state'],
      ['amounts_due_pkey', 'payables_pkey'],
    ]);
  }
}

async function rename(
  queryRunner: QueryRunner,
  from: string,
  to: string,
  constraints: readonly (readonly [string, string])[],
): Promise<void> {
  await queryRunner.query(`ALTER TABLE ${from} RENAME TO ${to}`);
  for (const [old, current] of constraints) {
    await queryRunner.query(`ALTER TABLE ${to} RENAME CONSTRAINT ${old} TO ${current}`);
  }
}

/** The ledger refuses updates; only its owner can lift that, for the one statement. */
async function renameKind(queryRunner: QueryRunner, from: string, to: string): Promise<void> {
  await queryRunner.query(`
    ALTER TABLE ledger_transactions
      DISABLE TRIGGER ledger_transactions_append_only,
      DROP CONSTRAINT ledger_transactions_kind`);
  await queryRunner.query('UPDATE ledger_transactions SET kind = $2 WHERE kind = $1', [from, to]);
  await queryRunner.query(`
    ALTER TABLE ledger_transactions
      ENABLE TRIGGER ledger_transactions_append_only,
      ADD CONSTRAINT ledger_transactions_kind CHECK (kind IN ('${to}', 'refund'))`);
  await queryRunner.query(`DROP INDEX ledger_transactions_one_${from}`);
  await queryRunner.query(`
    CREATE UNIQUE INDEX ledger_transactions_one_${to}
    ON ledger_transactions (payment_id) WHERE kind = '${to}'`);
}
