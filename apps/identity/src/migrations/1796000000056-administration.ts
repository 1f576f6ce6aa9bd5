import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Premium accounts, searching users, and reading the audit trail in the order of time. */
export class Administration1796000000056 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'ALTER TABLE users ADD COLUMN is_premium boolean NOT NULL DEFAULT false',
    );
    // The unique keys compare by the language of the database, which LIKE cannot use.
    await queryRunner.query(
      'CREATE INDEX users_email_prefix_idx ON users (email text_pattern_ops)',
    );
    await queryRunner.query(
      'CREATE INDEX users_username_prefix_idx ON users (username text_pattern_ops)',
    );
    await queryRunner.query(
      `CREATE INDEX users_full_name_words_idx ON users USING gin (to_tsvector('simple', full_name))`,
    );
    for (const rare of ['is_admin', 'is_mentor', 'is_premium', 'NOT is_active']) {
      const name = `users_${rare.replace('NOT is_', 'in').replace('is_', '')}_idx`;
      await queryRunner.query(`CREATE INDEX ${name} ON users (id) WHERE ${rare}`);
    }

    for (const column of ['user_id', 'actor_id', 'action']) {
      await queryRunner.query(`DROP INDEX audit_log_${column}_idx`);
      await queryRunner.query(
        `CREATE INDEX audit_log_${column}_idx ON audit_log (${column}, occurred_at, id)`,
      );
    }
    await queryRunner.query(
      `CREATE INDEX audit_log_failures_idx ON audit_log (occurred_at, id) WHERE outcome = 'failure'`,
    );
    await queryRunner.query(
      `CREATE INDEX audit_log_action_failures_idx ON audit_log (action, occurred_at, id)
       WHERE outcome = 'failure'`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP INDEX audit_log_action_failures_idx, audit_log_failures_idx');
    for (const column of ['user_id', 'actor_id', 'action']) {
      await queryRunner.query(`DROP INDEX audit_log_${column}_idx`);
      await queryRunner.query(
        `CREATE INDEX audit_log_${column}_idx ON audit_log (${column}, id DESC)`,
      );
    }
    await queryRunner.query(`
      DROP INDEX users_inactive_idx, users_premium_idx, users_mentor_idx, users_admin_idx,
        users_full_name_words_idx, users_username_prefix_idx, users_email_prefix_idx`);
    await queryRunner.query('ALTER TABLE users DROP COLUMN is_premium');
  }
}
