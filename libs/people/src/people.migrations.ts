import type { MigrationClass } from '@mentorhub/persistence';
import type { MigrationInterface, QueryRunner } from 'typeorm';

class CreatePeople1790000000200 implements MigrationInterface {
  readonly name = 'CreatePeople1790000000200';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE people (
        user_id integer CONSTRAINT people_pkey PRIMARY KEY,
        username text NOT NULL,
        full_name text NOT NULL,
        avatar_url text,
        updated_at timestamptz NOT NULL
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE people');
  }
}

class AddEmailVerified1796000000002 implements MigrationInterface {
  readonly name = 'AddEmailVerified1796000000002';

  async up(queryRunner: QueryRunner): Promise<void> {
    // Identity is asked before a user is refused for it, so `false` may mean “not known yet”.
    await queryRunner.query(
      'ALTER TABLE people ADD COLUMN email_verified boolean NOT NULL DEFAULT false',
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE people DROP COLUMN email_verified');
  }
}

class AddErased1796000000063 implements MigrationInterface {
  readonly name = 'AddErased1796000000063';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE people ADD COLUMN erased boolean NOT NULL DEFAULT false');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE people DROP COLUMN erased');
  }
}

/** The table that `People` needs; part of a service's migrations. */
export const peopleMigrations: MigrationClass[] = [
  CreatePeople1790000000200,
  AddEmailVerified1796000000002,
  AddErased1796000000063,
];
