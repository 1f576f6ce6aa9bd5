import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The leader counts the parked events every minute, among up to seven days of events that are published. */
export class IndexParkedEvents1796000040001 implements MigrationInterface {
  readonly name = 'IndexParkedEvents1796000040001';
  /** Built while others write to the outbox, which PostgreSQL does outside of a transaction only. */
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // An attempt that was cut short leaves an index that is not valid.
    await runner.query('DROP INDEX CONCURRENTLY IF EXISTS outbox_parked');
    await runner.query(
      'CREATE INDEX CONCURRENTLY outbox_parked ON outbox (id) WHERE parked_at IS NOT NULL',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX CONCURRENTLY outbox_parked');
  }
}
