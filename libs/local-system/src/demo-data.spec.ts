import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadDemoData } from './demo-data.js';
import { temporaryBase, postgresBinaries } from './postgres-binaries.js';
import { type Postgres, startPostgres } from './postgres.js';

const services = ['identity', 'mentorship', 'payments'] as const;
type Service = (typeof services)[number];
const accounts = [{ role: 'mentee', email: 'mentee@example.com', password: 'secret' }];

async function query(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

describe('demo data', () => {
  let base: string;
  let postgres: Postgres;
  let root: string;
  let dataDirectory: string;
  let progress: string[];

  beforeAll(async () => {
    const { runAs } = await postgresBinaries();
    base = await mkdtemp(join(temporaryBase(runAs), 'mentorhub-demo-data-'));
    postgres = await startPostgres({
      directory: join(base, 'postgres'),
      persistent: false,
      onCrash: () => undefined,
    });
    return async () => {
      await postgres.stop();
      await rm(base, { recursive: true, force: true });
    };
  });

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'mentorhub-demo-root-'));
    dataDirectory = join(root, 'data');
    await mkdir(dataDirectory);
    progress = [];
    for (const service of services) {
      await migrate(service);
      await writeScript(
        service,
        `require('node:fs').appendFileSync(process.env.RUNS, '${service} ');
         process.stdout.write('${service === 'identity' ? JSON.stringify({ accounts }) : '{}'}\\n');`,
      );
    }
    return () => rm(root, { recursive: true, force: true });
  });

  const urlOf = (service: string): string => {
    const url = new URL(postgres.url);
    url.pathname = `/${service}`;
    return url.href;
  };

  /** Makes a database anew, as the migrations of its service leave it. */
  async function migrate(service: Service): Promise<void> {
    await query(postgres.url, `DROP DATABASE IF EXISTS ${service}`);
    await query(postgres.url, `CREATE DATABASE ${service}`);
    await query(urlOf(service), 'CREATE TABLE outbox ()');
  }

  async function writeScript(service: Service, script: string): Promise<void> {
    const folder = join(root, 'apps', service, 'dist');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'demo-data.js'), script);
  }

  const load = () =>
    loadDemoData({
      root,
      dataDirectory,
      databases: {
        identity: urlOf('identity'),
        mentorship: urlOf('mentorship'),
        payments: urlOf('payments'),
      },
      environmentOf: () => ({ RUNS: join(root, 'runs') }),
      onProgress: (message) => void progress.push(message),
    });

  const runs = (): Promise<string> => readFile(join(root, 'runs'), 'utf8');

  it('is loaded once, by each service in its turn', async () => {
    expect(await load()).toEqual(accounts);
    expect(await load()).toEqual(accounts);
    expect(await runs()).toBe('identity mentorship payments ');
  });

  it('is completed when one of the databases is new', async () => {
    await load();
    await migrate('payments');
    expect(await load()).toEqual(accounts);
    await load();
    expect(await runs()).toBe('identity mentorship payments '.repeat(2));
  });

  it('is completed when the tables of a database were dropped and made again', async () => {
    await load();
    await query(urlOf('mentorship'), 'DROP TABLE outbox; CREATE TABLE outbox ()');
    await load();
    expect(await runs()).toBe('identity mentorship payments '.repeat(2));
  });

  it('that cannot be completed does not stop the start, and is tried again at the next one', async () => {
    await load();
    await migrate('payments');
    await writeScript(
      'identity',
      `console.error(JSON.stringify({ msg: 'The task failed.', err: { message: 'User 5 is not a demo user.' } }));
       process.exit(1);`,
    );
    expect(await load()).toEqual(accounts);
    expect(progress.at(-1)).toBe(
      'the demo data could not be completed: User 5 is not a demo user.',
    );
    await load();
    expect(progress.filter((message) => message.includes('could not'))).toHaveLength(2);
  });

  it('that cannot be loaded at all stops the start', async () => {
    await writeScript('payments', `console.error('broken'); process.exit(1);`);
    await expect(load()).rejects.toThrow('broken');
  });
});
