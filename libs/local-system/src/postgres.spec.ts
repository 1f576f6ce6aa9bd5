import { existsSync } from 'node:fs';
import { cp, lstat, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { isAlive } from './guard.js';
import { restoreSymlinks, temporaryBase, postgresBinaries } from './postgres-binaries.js';
import { startPostgres } from './postgres.js';

async function folder(name: string): Promise<string> {
  const { runAs } = await postgresBinaries();
  const directory = await mkdtemp(join(temporaryBase(runAs), `mentorhub-${name}-`));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function query(url: string, statement: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

describe('the links of the PostgreSQL package', () => {
  let native: string;

  beforeAll(async () => {
    const root = await mkdtemp(join(tmpdir(), 'mentorhub-links-'));
    native = join(root, 'native');
    await mkdir(join(native, 'lib'), { recursive: true });
    await writeFile(join(native, 'lib', 'libicu.so.60.2'), 'library');
    await writeFile(
      join(native, 'pg-symlinks.json'),
      JSON.stringify(
        ['libicu.so', 'libicu.so.60'].map((target) => ({
          source: 'native/lib/libicu.so.60.2',
          target: `native/lib/${target}`,
        })),
      ),
    );
    await symlink('libicu.so.60.2', join(native, 'lib', 'libicu.so'));
    return () => rm(root, { recursive: true, force: true });
  });

  it('are made where the install script did not run', async () => {
    expect(restoreSymlinks(native)).toBe(true);
    const link = await lstat(join(native, 'lib', 'libicu.so.60'));
    expect(link.isSymbolicLink()).toBe(true);
  });

  it('stay valid when the folder is moved', async () => {
    const moved = `${native}-moved`;
    await cp(native, moved, { recursive: true, verbatimSymlinks: true });
    await rm(join(native, 'lib', 'libicu.so.60.2'));
    expect(existsSync(join(moved, 'lib', 'libicu.so.60'))).toBe(true);
  });
});

describe('the PostgreSQL of a data folder', () => {
  it('keeps its data and its password over a restart, and a database is made once', async () => {
    const directory = await folder('kept');
    const first = await startPostgres({ directory, persistent: true });
    const url = await first.createDatabase('things');
    await query(url, 'CREATE TABLE thing AS SELECT 7 AS id');
    await first.stop();

    const second = await startPostgres({ directory, persistent: true, port: first.port });
    onTestFinished(() => second.stop());
    await expect(second.createDatabase('things')).resolves.toBe(url);
    await expect(query(url, 'SELECT id FROM thing')).resolves.toEqual([{ id: 7 }]);
  });

  it('knows the letters of all languages, also in a database of an earlier version', async () => {
    const server = await startPostgres({ directory: await folder('letters'), persistent: false });
    onTestFinished(() => server.stop());
    const trigrams = async (url: string) =>
      query(url, `SELECT cardinality(show_trgm('привет')) AS trigrams`);
    const url = await server.createDatabase('fresh');
    await query(url, 'CREATE EXTENSION pg_trgm');
    expect(await trigrams(url)).toEqual([{ trigrams: 7 }]);

    await query(server.url, `CREATE DATABASE earlier TEMPLATE template0 LC_CTYPE 'C'`);
    const earlier = new URL(server.url);
    earlier.pathname = '/earlier';
    await query(earlier.href, 'CREATE EXTENSION pg_trgm');
    await query(earlier.href, `CREATE TABLE texts AS SELECT 'привет, мир' AS text`);
    await query(earlier.href, 'CREATE INDEX texts_trgm ON texts USING gin (text gin_trgm_ops)');
    expect(await trigrams(earlier.href)).toEqual([{ trigrams: 0 }]);

    await expect(server.createDatabase('earlier')).resolves.toBe(earlier.href);
    expect(await trigrams(earlier.href)).toEqual([{ trigrams: 7 }]);
    await query(earlier.href, `ALTER ROLE CURRENT_USER SET enable_seqscan = off`);
    expect(await query(earlier.href, `SELECT text FROM texts WHERE text LIKE '%привет%'`)).toEqual([
      { text: 'привет, мир' },
    ]);
  });

  it('starts beside the pid file of a killed server, also when another process has that id now', async () => {
    const directory = await folder('stale');
    const first = await startPostgres({ directory, persistent: true });
    await first.stop();
    await writeFile(
      join(directory, 'data', 'postmaster.pid'),
      `${process.pid}\n${join(directory, 'data')}\n`,
    );

    const second = await startPostgres({ directory, persistent: true });
    await expect(query(second.url, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    await second.stop();
  });

  it('stops a server that an earlier run left behind on the same data', async () => {
    const directory = await folder('leftover');
    const left = await startPostgres({ directory, persistent: true });
    const { pid } = left;

    const next = await startPostgres({ directory, persistent: true });
    expect(isAlive(pid)).toBe(false);
    await expect(query(next.url, 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    await next.stop();
  });

  it('says which port is taken', async () => {
    const first = await startPostgres({ directory: await folder('first'), persistent: false });
    onTestFinished(() => first.stop());
    const second = startPostgres({
      directory: await folder('second'),
      persistent: false,
      port: first.port,
    });
    await expect(second).rejects.toThrow(`Port ${first.port}, which PostgreSQL needs, is taken.`);
  });

  it('leaves nothing behind when the data are for a test', async () => {
    const directory = await folder('gone');
    const server = await startPostgres({ directory, persistent: false });
    const { pid } = server;
    await server.stop();
    expect(existsSync(directory)).toBe(false);
    expect(isAlive(pid)).toBe(false);
  });
});
