import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Up to where users have read their chats: a message may be reported after it was read. */
export class ChatReads1796000030001 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE chat_reads (
        user_id integer NOT NULL,
        chat_id integer NOT NULL,
        message_id bigint NOT NULL,
        CONSTRAINT chat_reads_pkey PRIMARY KEY (user_id, chat_id)
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE chat_reads');
  }
}
