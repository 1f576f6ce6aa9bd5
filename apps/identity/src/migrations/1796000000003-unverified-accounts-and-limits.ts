import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Accounts that are not verified in time expire; failures of an account are counted until a success. */
export class UnverifiedAccountsAndLimits1796000000003 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // Accounts from before may have booked without a verified address, so they have no such date.
    await queryRunner.query('ALTER TABLE users ADD COLUMN verify_by timestamptz');
    await queryRunner.query(
      'CREATE INDEX users_unverified ON users (verify_by) WHERE email_verified_at IS NULL',
    );
    await queryRunner.query('DROP TABLE login_failures');
    await queryRunner.query(`
      CREATE TABLE sign_in_failures (
        account_hash bytea NOT NULL,
        source text NOT NULL,
        failures integer NOT NULL,
        retry_at timestamptz NOT NULL,
        last_failed_at timestamptz NOT NULL,
        CONSTRAINT sign_in_failures_pkey PRIMARY KEY (account_hash, source)
      )`);
    await queryRunner.query(`
      CREATE TABLE network_counters (
        kind text NOT NULL
          CONSTRAINT network_counters_kind CHECK (kind IN ('sign_in', 'registration')),
        source text NOT NULL,
        count integer NOT NULL,
        window_ends_at timestamptz NOT NULL,
        CONSTRAINT network_counters_pkey PRIMARY KEY (kind, source)
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE network_counters, sign_in_failures');
    await queryRunner.query(`
      CREATE TABLE login_failures (
        account_hash bytea NOT NULL,
        source text NOT NULL,
        failures integer NOT NULL,
        window_ends_at timestamptz NOT NULL,
        CONSTRAINT login_failures_pkey PRIMARY KEY (account_hash, source)
      )`);
    await queryRunner.query('DROP INDEX users_unverified');
    await queryRunner.query('ALTER TABLE users DROP COLUMN verify_by');
  }
}
