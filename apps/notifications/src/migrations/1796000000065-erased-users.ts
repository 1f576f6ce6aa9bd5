import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Users who erased their accounts, and whom the notifications of others name. */
export class ErasedUsers1796000000065 implements MigrationInterface {
  readonly transaction = false;

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE IF NOT EXISTS erased_users (
        user_id integer CONSTRAINT erased_users_pkey PRIMARY KEY,
        erased_at timestamptz NOT NULL
      )`);
    for (const table of ['notifications', 'deferred_notifications', 'mails']) {
      await queryRunner.query(
        `ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS named_user_id integer`,
      );
      const index = `${table}_named_user_id`;
      await queryRunner.query(`DROP INDEX CONCURRENTLY IF EXISTS ${index}`);
      await queryRunner.query(
        `CREATE INDEX CONCURRENTLY ${index} ON ${table} (named_user_id) WHERE named_user_id IS NOT NULL`,
      );
    }
    await queryRunner.query('DROP INDEX CONCURRENTLY IF EXISTS mails_user_id');
    await queryRunner.query('CREATE INDEX CONCURRENTLY mails_user_id ON mails (user_id)');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP INDEX mails_user_id');
    for (const table of ['notifications', 'deferred_notifications', 'mails']) {
      await queryRunner.query(`ALTER TABLE ${table} DROP COLUMN named_user_id`);
    }
    await queryRunner.query('DROP TABLE erased_users');
  }
}
