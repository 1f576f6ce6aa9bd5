import { testDatabase, type TestDatabase } from '@mentorhub/testing';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { idempotencyMigrations, type MigrationClass, openDatabase } from '../src/index.js';

class CreateCounters1790000009000 implements MigrationInterface {
  readonly name = 'CreateCounters1790000009000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `CREATE TABLE counters (id integer PRIMARY KEY, value bigint NOT NULL, day date)`,
    );
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE counters');
  }
}

export const migrations: MigrationClass[] = [CreateCounters1790000009000, ...idempotencyMigrations];

export async function emptyDatabase(
  name: string,
): Promise<{ database: TestDatabase; connect: (poolSize?: number) => Promise<DataSource> }> {
  const database = await testDatabase(name);
  return {
    database,
    connect: (poolSize = 10) =>
      openDatabase({ url: database.url, entities: [], migrations, poolSize }),
  };
}
