import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The check of the migration before, on the rows that there were. */
export class ValidateErased1796000000054 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE users VALIDATE CONSTRAINT users_erased');
  }

  async down(): Promise<void> {
    // Nothing was changed.
  }
}
