import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How many mails of a purpose an address has got, and since when, as the pause between them grows. */
export class GrowingMailPauses1796000000058 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE mail_pauses
        ADD COLUMN mails integer NOT NULL DEFAULT 1,
        ADD COLUMN since timestamptz NOT NULL DEFAULT now()`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE mail_pauses DROP COLUMN mails, DROP COLUMN since');
  }
}
