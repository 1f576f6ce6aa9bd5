import { testDatabase, type TestDatabase } from '@mentorhub/testing';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import {
  type DatabaseSettings,
  idempotencyMigrations,
  type MigrationClass,
  openDatabase,
} from '../src/index.js';

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

export interface EmptyDatabase {
  database: TestDatabase;
  settings: DatabaseSettings;
  connect(poolSize?: number): Promise<DataSource>;
}

export async function emptyDatabase(name: string): Promise<EmptyDatabase> {
  const database = await testDatabase(name);
  const settings = { url: database.url, directUrl: database.directUrl, entities: [], migrations };
  return {
    database,
    settings,
    connect: (poolSize = 10) => openDatabase({ ...settings, poolSize }),
  };
}
