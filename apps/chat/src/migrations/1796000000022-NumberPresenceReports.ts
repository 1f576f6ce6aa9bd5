import type { MigrationInterface, QueryRunner } from 'typeorm';

export class NumberPresenceReports1796000000022 implements MigrationInterface {
  readonly name = 'NumberPresenceReports1796000000022';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- The number of the last report that was taken: an earlier one that arrives later is not.
      ALTER TABLE gateway_leases ADD COLUMN last_report bigint NOT NULL DEFAULT 0;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE gateway_leases DROP COLUMN last_report');
  }
}
