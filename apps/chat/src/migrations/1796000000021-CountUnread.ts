import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CountUnread1796000000021 implements MigrationInterface {
  readonly name = 'CountUnread1796000000021';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- unread_count messages of the others are after unread_from and not after unread_to. It counts while unread_from is
      -- last_read_message_id: a version that moves that without counting makes it void, and counting begins there again.
      ALTER TABLE participants
        ADD COLUMN unread_from bigint NOT NULL DEFAULT 0,
        ADD COLUMN unread_to bigint NOT NULL DEFAULT 0,
        ADD COLUMN unread_count integer NOT NULL DEFAULT 0,
        ADD CONSTRAINT participants_unread CHECK (unread_count >= 0 AND unread_from <= unread_to);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'ALTER TABLE participants DROP COLUMN unread_from, DROP COLUMN unread_to, DROP COLUMN unread_count',
    );
  }
}
