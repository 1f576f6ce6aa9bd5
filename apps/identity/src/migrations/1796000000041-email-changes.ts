import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Changes of addresses that wait for their confirmation, and the addresses that accounts had: each stays reserved while
 * its owner may undo the change.
 */
export class EmailChanges1796000000041 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE email_changes (
        user_id integer CONSTRAINT email_changes_pkey PRIMARY KEY
          CONSTRAINT email_changes_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        id integer GENERATED ALWAYS AS IDENTITY,
        new_email text NOT NULL CONSTRAINT email_changes_lower CHECK (new_email = lower(new_email)),
        requested_at timestamptz NOT NULL
      )`);
    await queryRunner.query(
      'CREATE INDEX email_changes_requested_at_idx ON email_changes (requested_at)',
    );
    await queryRunner.query(`
      CREATE TABLE former_emails (
        id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT former_emails_pkey PRIMARY KEY,
        user_id integer NOT NULL
          CONSTRAINT former_emails_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        email text NOT NULL
          CONSTRAINT former_emails_email_key UNIQUE
          CONSTRAINT former_emails_lower CHECK (email = lower(email)),
        undo_hash bytea CONSTRAINT former_emails_undo_hash_key UNIQUE,
        changed_at timestamptz NOT NULL,
        reserved_until timestamptz NOT NULL
      )`);
    await queryRunner.query('CREATE INDEX former_emails_user_id_idx ON former_emails (user_id)');
    await queryRunner.query(
      'CREATE INDEX former_emails_reserved_until_idx ON former_emails (reserved_until)',
    );
    // After the statement, which has then waited for whoever gives up the same address at the same time, and so sees
    // the reservation that came with it.
    await queryRunner.query(`
      CREATE FUNCTION refuse_reserved_email() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF EXISTS (SELECT FROM former_emails WHERE email = NEW.email AND user_id <> NEW.id) THEN
          RAISE EXCEPTION 'The address is reserved for the account that had it.'
            USING ERRCODE = 'unique_violation', TABLE = 'users', CONSTRAINT = 'users_email_reserved';
        END IF;
        RETURN NULL;
      END $$`);
    await queryRunner.query(`
      CREATE TRIGGER users_refuse_reserved_email AFTER INSERT OR UPDATE OF email ON users
      FOR EACH ROW EXECUTE FUNCTION refuse_reserved_email()`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TRIGGER users_refuse_reserved_email ON users');
    await queryRunner.query('DROP FUNCTION refuse_reserved_email');
    await queryRunner.query('DROP TABLE former_emails, email_changes');
  }
}
