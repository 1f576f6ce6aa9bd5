import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Devices that accounts were signed in from, accounts at other providers, and keys that are withdrawn. */
export class DevicesAndProviders1796000000050 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE known_devices (
        user_id integer NOT NULL
          CONSTRAINT known_devices_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        device_hash bytea NOT NULL,
        last_seen_at timestamptz NOT NULL,
        CONSTRAINT known_devices_pkey PRIMARY KEY (user_id, device_hash)
      )`);
    await queryRunner.query(
      'CREATE INDEX known_devices_last_seen_at_idx ON known_devices (last_seen_at)',
    );
    await queryRunner.query(`
      CREATE TABLE linked_identities (
        issuer text NOT NULL,
        subject text NOT NULL,
        user_id integer NOT NULL
          CONSTRAINT linked_identities_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        linked_at timestamptz NOT NULL,
        CONSTRAINT linked_identities_pkey PRIMARY KEY (issuer, subject),
        CONSTRAINT linked_identities_one_of_each UNIQUE (user_id, issuer)
      )`);
    await queryRunner.query(`
      CREATE TABLE provider_visits (
        state_hash bytea CONSTRAINT provider_visits_pkey PRIMARY KEY,
        browser_hash bytea NOT NULL,
        provider text NOT NULL,
        user_id integer
          CONSTRAINT provider_visits_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        expires_at timestamptz NOT NULL
      )`);
    await queryRunner.query(
      'CREATE INDEX provider_visits_expires_at_idx ON provider_visits (expires_at)',
    );
    await queryRunner.query(`
      CREATE INDEX provider_visits_user_id_idx ON provider_visits (user_id)
      WHERE user_id IS NOT NULL`);
    await queryRunner.query('ALTER TABLE signing_keys ADD COLUMN withdrawn_at timestamptz');
    // A refresh clears the successors of its session's older tokens, of which a long session has thousands.
    await queryRunner.query(`
      CREATE INDEX refresh_tokens_successor_idx ON refresh_tokens (session_id)
      WHERE successor IS NOT NULL`);
    await queryRunner.query(`
      CREATE INDEX sessions_open_idx ON sessions (user_id, last_used_at DESC, id DESC)
      WHERE revoked_at IS NULL`);
    await queryRunner.query(`
      ALTER TABLE network_counters
        DROP CONSTRAINT network_counters_kind,
        ADD CONSTRAINT network_counters_kind CHECK (kind ~ '^[a-z_]{1,32}$')`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DELETE FROM network_counters WHERE kind = 'provider_visit'`);
    // As the migration before left it.
    await queryRunner.query(`
      ALTER TABLE network_counters
        DROP CONSTRAINT network_counters_kind,
        ADD CONSTRAINT network_counters_kind CHECK (kind ~ '^[a-z_]{1,40}$')`);
    await queryRunner.query('DROP INDEX sessions_open_idx, refresh_tokens_successor_idx');
    await queryRunner.query('ALTER TABLE signing_keys DROP COLUMN withdrawn_at');
    await queryRunner.query('DROP TABLE provider_visits, linked_identities, known_devices');
  }
}
