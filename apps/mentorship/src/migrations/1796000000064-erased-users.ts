import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Users who erased their accounts, and whether their bookings have been settled. */
export class ErasedUsers1796000000064 implements MigrationInterface {
  readonly name = 'ErasedUsers1796000000064';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE erased_users (
        user_id integer CONSTRAINT erased_users_pkey PRIMARY KEY,
        erased_at timestamptz NOT NULL,
        settled_at timestamptz
      )`);
    await queryRunner.query(
      'CREATE INDEX erased_users_unsettled ON erased_users (user_id) WHERE settled_at IS NULL',
    );
    await queryRunner.query('ALTER TABLE mentors ADD COLUMN erased_at timestamptz');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE mentors DROP COLUMN erased_at');
    await queryRunner.query('DROP TABLE erased_users');
  }
}
