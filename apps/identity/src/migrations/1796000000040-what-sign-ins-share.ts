import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Accounts without a password, the time of the last proof of a session, tokens of mails by purpose, and the audit trail.
 * `email_verifications` and `verification_requests` stay for the processes of the version before.
 */
export class WhatSignInsShare1796000000040 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE users ALTER COLUMN password_hash DROP NOT NULL');
    await queryRunner.query(`
      ALTER TABLE sessions
        ADD COLUMN method text,
        ADD COLUMN authenticated_at timestamptz`);
    await queryRunner.query(`
      CREATE TABLE mail_tokens (
        purpose text NOT NULL,
        user_id integer NOT NULL
          CONSTRAINT mail_tokens_user_id_fkey REFERENCES users (id) ON DELETE CASCADE,
        token_hash bytea NOT NULL CONSTRAINT mail_tokens_token_hash_key UNIQUE,
        email text NOT NULL,
        expires_at timestamptz NOT NULL,
        CONSTRAINT mail_tokens_pkey PRIMARY KEY (purpose, user_id)
      )`);
    await queryRunner.query('CREATE INDEX mail_tokens_user_id_idx ON mail_tokens (user_id)');
    await queryRunner.query('CREATE INDEX mail_tokens_expires_at_idx ON mail_tokens (expires_at)');
    await queryRunner.query(`
      INSERT INTO mail_tokens (purpose, user_id, token_hash, email, expires_at)
      SELECT 'verify_email', user_id, token_hash, email, expires_at FROM email_verifications`);
    await queryRunner.query(`
      CREATE TABLE mail_pauses (
        purpose text NOT NULL,
        email_hash bytea NOT NULL,
        sent_at timestamptz NOT NULL,
        CONSTRAINT mail_pauses_pkey PRIMARY KEY (purpose, email_hash)
      )`);
    await queryRunner.query('CREATE INDEX mail_pauses_sent_at_idx ON mail_pauses (sent_at)');
    // No foreign keys: the trail outlives what it is about.
    await queryRunner.query(`
      CREATE TABLE audit_log (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_log_pkey PRIMARY KEY,
        occurred_at timestamptz NOT NULL,
        action text NOT NULL,
        outcome text NOT NULL CONSTRAINT audit_log_outcome CHECK (outcome IN ('success', 'failure')),
        actor_id integer,
        user_id integer,
        session_id integer,
        ip text,
        user_agent text,
        request_id text,
        detail jsonb NOT NULL
      )`);
    // Every list of it is in the order of time.
    for (const column of ['user_id', 'actor_id', 'action']) {
      await queryRunner.query(
        `CREATE INDEX audit_log_${column}_idx ON audit_log (${column}, occurred_at, id)`,
      );
    }
    await queryRunner.query(
      'CREATE INDEX audit_log_occurred_at_idx ON audit_log (occurred_at, id)',
    );
    await queryRunner.query(
      `CREATE INDEX audit_log_failures_idx ON audit_log (occurred_at, id) WHERE outcome = 'failure'`,
    );
    await queryRunner.query(
      `CREATE INDEX audit_log_action_failures_idx ON audit_log (action, occurred_at, id)
       WHERE outcome = 'failure'`,
    );
    // What is older than a year may be deleted, as retention asks; where from may be taken out, as an erasure asks.
    await queryRunner.query(`
      CREATE FUNCTION keep_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF TG_OP = 'DELETE' AND OLD.occurred_at < now() - interval '365 days' THEN
          RETURN OLD;
        END IF;
        IF TG_OP = 'UPDATE' AND NEW.ip IS NULL AND NEW.user_agent IS NULL
          AND to_jsonb(NEW) - ARRAY['ip', 'user_agent'] = to_jsonb(OLD) - ARRAY['ip', 'user_agent'] THEN
          RETURN NEW;
        END IF;
        RAISE EXCEPTION 'The audit trail is append-only.';
      END $$`);
    await queryRunner.query(`
      CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
      FOR EACH ROW EXECUTE FUNCTION keep_audit_log()`);
    await queryRunner.query(`
      CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
      FOR EACH STATEMENT EXECUTE FUNCTION keep_audit_log()`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE audit_log, mail_pauses, mail_tokens');
    await queryRunner.query('DROP FUNCTION keep_audit_log');
    await queryRunner.query(
      'ALTER TABLE sessions DROP COLUMN method, DROP COLUMN authenticated_at',
    );
    await queryRunner.query('DELETE FROM users WHERE password_hash IS NULL');
    await queryRunner.query('ALTER TABLE users ALTER COLUMN password_hash SET NOT NULL');
  }
}
