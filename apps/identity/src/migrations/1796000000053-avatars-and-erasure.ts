import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Uploaded pictures, counters of users, and accounts that their users erased. */
export class AvatarsAndErasure1796000000053 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    // A file of nobody is to be deleted: of an upload that broke off, or of an account that is gone.
    await queryRunner.query(`
      CREATE TABLE avatar_files (
        key text CONSTRAINT avatar_files_pkey PRIMARY KEY,
        user_id integer
          CONSTRAINT avatar_files_user_id_key UNIQUE
          CONSTRAINT avatar_files_user_id_fkey REFERENCES users (id) ON DELETE SET NULL,
        storage text NOT NULL
          CONSTRAINT avatar_files_storage CHECK (storage IN ('disk', 's3', 'database')),
        content bytea,
        created_at timestamptz NOT NULL,
        CONSTRAINT avatar_files_content CHECK (content IS NULL OR storage = 'database')
      )`);
    // WebP hardly compresses.
    await queryRunner.query('ALTER TABLE avatar_files ALTER COLUMN content SET STORAGE EXTERNAL');
    await queryRunner.query(
      'CREATE INDEX avatar_files_stray ON avatar_files (created_at) WHERE user_id IS NULL',
    );
    await queryRunner.query(`
      CREATE TABLE user_counters (
        kind text NOT NULL
          CONSTRAINT user_counters_kind CHECK (kind IN ('avatar_upload', 'export')),
        user_id integer NOT NULL
          CONSTRAINT user_counters_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        count integer NOT NULL,
        window_ends_at timestamptz NOT NULL,
        CONSTRAINT user_counters_pkey PRIMARY KEY (kind, user_id)
      )`);
    await queryRunner.query('CREATE INDEX user_counters_user_id_idx ON user_counters (user_id)');
    await queryRunner.query('ALTER TABLE users ADD COLUMN erased_at timestamptz');
    // Whatever arrives late, nobody is brought back.
    await queryRunner.query(`
      ALTER TABLE users ADD CONSTRAINT users_erased CHECK (
        erased_at IS NULL OR (
          NOT is_active AND NOT is_admin AND NOT is_mentor AND full_name = '' AND email LIKE '%@erased.invalid'
          AND password_hash IS NULL AND bio IS NULL AND phone IS NULL AND avatar_url IS NULL
          AND email_verified_at IS NULL)) NOT VALID`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE users DROP COLUMN erased_at');
    await queryRunner.query('DROP TABLE user_counters, avatar_files');
  }
}
