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
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE signing_keys DROP COLUMN withdrawn_at');
    await queryRunner.query('DROP TABLE provider_visits, linked_identities, known_devices');
  }
}
