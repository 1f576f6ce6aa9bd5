import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the stream confirmed last: when it is there no more, the stream has lost its tail. */
export class RememberStreamTail1796000000111 implements MigrationInterface {
  readonly name = 'RememberStreamTail1796000000111';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE outbox_stream ADD COLUMN last_sequence bigint, ADD COLUMN last_event uuid',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE outbox_stream DROP COLUMN last_sequence, DROP COLUMN last_event',
    );
  }
}
