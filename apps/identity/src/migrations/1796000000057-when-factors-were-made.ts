import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Since when there are recovery codes, and which device sets an authenticator app up. */
export class WhenFactorsWereMade1796000000057 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `ALTER TABLE recovery_codes ADD COLUMN created_at timestamptz NOT NULL DEFAULT now()`,
    );
    // The default stays: processes of the version before do not name the column.
    await runner.query(`ALTER TABLE totp_factors ADD COLUMN session_id integer`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE totp_factors DROP COLUMN session_id`);
    await runner.query(`ALTER TABLE recovery_codes DROP COLUMN created_at`);
  }
}
