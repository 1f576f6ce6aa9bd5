import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Users who erased their accounts, and the ways to what they owed or earned. */
export class ErasedUsers1796000000066 implements MigrationInterface {
  readonly transaction = false;

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE IF NOT EXISTS erased_users (
        user_id integer CONSTRAINT erased_users_pkey PRIMARY KEY,
        erased_at timestamptz NOT NULL
      )`);
    for (const column of ['user_id', 'mentor_user_id']) {
      await queryRunner.query(`DROP INDEX CONCURRENTLY IF EXISTS amounts_due_${column}`);
      await queryRunner.query(
        `CREATE INDEX CONCURRENTLY amounts_due_${column} ON amounts_due (${column})`,
      );
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP INDEX amounts_due_user_id');
    await queryRunner.query('DROP INDEX amounts_due_mentor_user_id');
    await queryRunner.query('DROP TABLE erased_users');
  }
}
