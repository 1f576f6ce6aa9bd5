import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Chats that were read and whose event is still to be published: one row for each reader, however often they read. */
export class UnpublishedReads1796000000030 implements MigrationInterface {
  readonly name = 'UnpublishedReads1796000000030';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE unpublished_reads (
        chat_id integer NOT NULL,
        user_id integer NOT NULL,
        message_id bigint NOT NULL,
        PRIMARY KEY (chat_id, user_id)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE unpublished_reads');
  }
}
