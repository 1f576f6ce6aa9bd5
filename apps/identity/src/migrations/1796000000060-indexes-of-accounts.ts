import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the indexes are on, by name. */
const indexes = {
  // A refresh clears the successors of its session's older tokens, of which a long session has thousands.
  refresh_tokens_successor_idx: 'refresh_tokens (session_id) WHERE successor IS NOT NULL',
  sessions_open_idx: 'sessions (user_id, last_used_at DESC, id DESC) WHERE revoked_at IS NULL',
  // The unique keys compare by the language of the database, which LIKE cannot use.
  users_email_prefix_idx: 'users (email text_pattern_ops)',
  users_username_prefix_idx: 'users (username text_pattern_ops)',
  users_full_name_words_idx: `users USING gin (to_tsvector('simple', full_name))`,
  users_admin_idx: 'users (id) WHERE is_admin',
  users_mentor_idx: 'users (id) WHERE is_mentor',
  users_premium_idx: 'users (id) WHERE is_premium',
  users_inactive_idx: 'users (id) WHERE NOT is_active',
};

/** Indexes of tables that were there, and the check of kinds of counters on the rows that were. */
export class IndexesOfAccounts1796000000060 implements MigrationInterface {
  readonly transaction = false;

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'ALTER TABLE network_counters VALIDATE CONSTRAINT network_counters_kind',
    );
    for (const [name, on] of Object.entries(indexes)) {
      await queryRunner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
      await queryRunner.query(`CREATE INDEX CONCURRENTLY ${name} ON ${on}`);
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`DROP INDEX ${Object.keys(indexes).join(', ')}`);
  }
}
