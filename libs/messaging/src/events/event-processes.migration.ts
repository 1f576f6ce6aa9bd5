import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which processes of a service run, and with which event handlers. */
export class CreateEventProcesses1796000000110 implements MigrationInterface {
  readonly name = 'CreateEventProcesses1796000000110';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE event_processes (
        id uuid PRIMARY KEY,
        -- Of the handlers; the same for all processes of a version.
        digest text NOT NULL,
        -- Subject, version and name of each.
        handlers text[] NOT NULL,
        since timestamptz NOT NULL,
        seen_at timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE event_processes');
  }
}
