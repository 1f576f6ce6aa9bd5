import type { MigrationInterface, QueryRunner } from 'typeorm';
import type { MigrationClass } from '../data-source-options.js';

class CreateIdempotencyKeys1790000000100 implements MigrationInterface {
  readonly name = 'CreateIdempotencyKeys1790000000100';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE idempotency_keys (
        user_id integer NOT NULL,
        operation text NOT NULL,
        key text NOT NULL,
        request_hash bytea NOT NULL,
        response jsonb,
        created_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, operation, key)
      )`);
    await queryRunner.query(
      'CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at)',
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE idempotency_keys');
  }
}

/** The table that `Idempotency` needs; part of a service's migrations. */
export const idempotencyMigrations: MigrationClass[] = [CreateIdempotencyKeys1790000000100];
