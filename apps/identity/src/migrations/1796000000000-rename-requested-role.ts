import type { MigrationInterface, QueryRunner } from 'typeorm';

export class RenameRequestedRole1796000000000 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE users RENAME COLUMN wished_role TO requested_role');
    await queryRunner.query(
      'ALTER TABLE users RENAME CONSTRAINT users_wished_role_known TO users_requested_role_known',
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      'ALTER TABLE users RENAME CONSTRAINT users_requested_role_known TO users_wished_role_known',
    );
    await queryRunner.query('ALTER TABLE users RENAME COLUMN requested_role TO wished_role');
  }
}
