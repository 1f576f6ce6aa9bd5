import { type TestDatabase, type TestRoles, testDatabase, testRoles } from '@mentorhub/testing';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type DatabaseSettings,
  migrationsLeft,
  openDatabase,
  runMigrations,
  withDirectDatabase,
} from '../src/index.js';
import { migrations } from './fixtures.js';

class CreateNotes1790000009300 implements MigrationInterface {
  readonly name = 'CreateNotes1790000009300';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE notes (id serial PRIMARY KEY, text text NOT NULL)');
    await queryRunner.query('CREATE SEQUENCE note_numbers');
    await queryRunner.query('CREATE TABLE receipts (id integer)');
    await queryRunner.query('REVOKE UPDATE, DELETE ON receipts FROM PUBLIC');
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE notes');
  }
}

describe('a database whose tables belong to another role than the service', () => {
  let database: TestDatabase;
  let roles: TestRoles;
  let settings: DatabaseSettings;
  let service: DataSource | undefined;

  beforeEach(async () => {
    database = await testDatabase('roles');
    roles = await testRoles(database);
    settings = {
      url: roles.serviceUrl,
      migrationUrl: roles.ownerUrl,
      entities: [],
      migrations: [...migrations, CreateNotes1790000009300],
    };
  });

  afterEach(async () => {
    await service?.destroy();
    service = undefined;
    await database.drop();
    await roles.drop();
  });

  const open = async (): Promise<DataSource> => (service = await openDatabase(settings));

  const asSuperuser = (statement: string): Promise<unknown> =>
    withDirectDatabase(
      { url: database.directUrl, entities: [], migrations: [] },
      async (dataSource) => dataSource.query(statement),
    );

  it('is migrated by its owner, and the service reads and writes rows', async () => {
    expect(await runMigrations(settings)).toHaveLength(3);
    const own = await open();
    expect(await migrationsLeft(own)).toEqual([]);
    await own.query(`INSERT INTO notes (text) VALUES ('a'), ('b')`);
    await own.query(`UPDATE notes SET text = 'c' WHERE id = nextval('note_numbers')`);
    await own.query('DELETE FROM notes WHERE id = 2');
    expect(await own.query('SELECT id, text FROM notes')).toEqual([{ id: 1, text: 'c' }]);
    expect(await own.query('SHOW statement_timeout')).toEqual([{ statement_timeout: '15s' }]);
    expect(await runMigrations(settings)).toEqual([]);
  });

  it.each([
    'CREATE TABLE mine (id integer)',
    'ALTER TABLE notes ADD COLUMN more text',
    'CREATE INDEX ON notes (text)',
    'DROP TABLE notes',
    'TRUNCATE notes',
    'ALTER SEQUENCE note_numbers RESTART',
    'CREATE SCHEMA mine',
    'CREATE EXTENSION pg_trgm',
    `INSERT INTO migrations (timestamp, name) VALUES (1, 'Forged1')`,
    'DELETE FROM migrations',
  ])('does not let the service do %s', async (statement) => {
    await runMigrations(settings);
    const own = await open();
    await expect(own.query(statement)).rejects.toThrow(/permission denied|must be owner/);
  });

  it('gives the service the rows of tables that a later version makes', async () => {
    await runMigrations({ ...settings, migrations });
    const own = await open();
    expect(await runMigrations(settings)).toEqual(['CreateNotes1790000009300']);
    await own.query(`INSERT INTO notes (text) VALUES ('a')`);
  });

  it('may have belonged to the service before', async () => {
    const [owner, user] = [roles.ownerUrl, roles.serviceUrl].map((url) => new URL(url).username);
    await asSuperuser(`GRANT CREATE ON SCHEMA public TO ${user}`);
    await runMigrations({ ...settings, migrationUrl: undefined });
    await asSuperuser(
      `REVOKE CREATE ON SCHEMA public FROM ${user}; REASSIGN OWNED BY ${user} TO ${owner}`,
    );
    expect(await runMigrations(settings)).toEqual([]);
    const own = await open();
    await own.query(`INSERT INTO notes (text) VALUES ('a')`);
    await own.query(`SELECT nextval('note_numbers')`);
    await expect(own.query('ALTER TABLE notes ADD COLUMN more text')).rejects.toThrow(
      'must be owner',
    );
  });

  it('keeps rights that were taken from the service', async () => {
    await runMigrations(settings);
    const user = new URL(roles.serviceUrl).username;
    await asSuperuser(`REVOKE UPDATE, DELETE ON receipts FROM ${user}`);
    await runMigrations(settings);
    const own = await open();
    await own.query('INSERT INTO receipts VALUES (1)');
    await expect(own.query('DELETE FROM receipts')).rejects.toThrow('permission denied');
  });

  it('is told from another database that the address for migrations names by mistake', async () => {
    const other = await testDatabase('roles_other');
    await expect(runMigrations({ ...settings, migrationUrl: other.directUrl })).rejects.toThrow(
      'correct MIGRATION_DATABASE_URL',
    );
    await other.drop();
  });
});
