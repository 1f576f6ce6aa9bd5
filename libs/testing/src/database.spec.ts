import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type TestDatabase, testDatabase } from './index.js';

describe('the database of a test file', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await testDatabase('testing');
  });

  afterAll(() => database.drop());

  it('is empty, of PostgreSQL 18, and lets its owner create the extensions we use', async () => {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    try {
      const tables = await client.query(
        "SELECT 1 FROM information_schema.tables WHERE table_schema = 'public'",
      );
      const version = await client.query<{ server_version: string }>('SHOW server_version');
      await client.query('CREATE EXTENSION btree_gist');
      await client.query('CREATE EXTENSION pg_trgm');
      await client.query('CREATE EXTENSION citext');

      expect(tables.rowCount).toBe(0);
      expect(version.rows[0]?.server_version).toMatch(/^18\b/);
    } finally {
      await client.end();
    }
  });

  it('is not the one another file gets', async () => {
    const other = await testDatabase('testing');
    expect(other.url).not.toBe(database.url);
    await other.drop();
  });

  it('can be dropped while something is still connected', async () => {
    const other = await testDatabase('testing');
    const client = new Client({ connectionString: other.url });
    const errors: Error[] = [];
    client.on('error', (error) => errors.push(error));
    await client.connect();
    await other.drop();
    await vi.waitFor(() => expect(errors[0]).toMatchObject({ code: '57P01' }));
  });
});
