import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keys are published before they sign; a used refresh token leads to its successor for some seconds. */
export class RefreshSuccessorsAndKeyLead1796000000001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE signing_keys ADD COLUMN signs_from timestamptz');
    await queryRunner.query('UPDATE signing_keys SET signs_from = created_at');
    await queryRunner.query('ALTER TABLE signing_keys ALTER COLUMN signs_from SET NOT NULL');
    await queryRunner.query('ALTER TABLE refresh_tokens ADD COLUMN successor bytea');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE refresh_tokens DROP COLUMN successor');
    await queryRunner.query('ALTER TABLE signing_keys DROP COLUMN signs_from');
  }
}
