import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A payment is stored before the provider knows it: it has no reference then, and remembers how it is to be paid. */
export class PaymentIntents1796000000010 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE payments
        ALTER COLUMN provider_reference DROP NOT NULL,
        ADD COLUMN method text NOT NULL DEFAULT 'card',
        ADD CONSTRAINT payments_captured_reference CHECK
          (provider_reference IS NOT NULL OR status IN ('pending', 'expired'))`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'UPDATE payments SET provider_reference = id WHERE provider_reference IS NULL',
    );
    await queryRunner.query(`
      ALTER TABLE payments
        DROP CONSTRAINT payments_captured_reference,
        DROP COLUMN method,
        ALTER COLUMN provider_reference SET NOT NULL`);
  }
}
