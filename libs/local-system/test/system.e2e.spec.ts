import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  type AppName,
  appNames,
  type Crash,
  postgresBinaries,
  startSystem,
  type System,
  type SystemOptions,
  temporaryBase,
} from '../src/index.js';

const fixture = fileURLToPath(new URL('fixtures/app.mjs', import.meta.url));

const natsPermissions = `
export const natsServerConfig = ({ host, port, storeDirectory, users }) => [
  'listen: "' + host + ':' + port + '"',
  'jetstream { store_dir: "' + storeDirectory + '" }',
  'authorization { users: [',
  ...Object.entries(users).map(([user, password]) => '{ user: "' + user + '", password: "' + password + '" }'),
  '] }',
].join('\\n');
`;

const demoData = `
import { appendFileSync } from 'node:fs';
appendFileSync(process.env.DEMO_LOG, 'loaded\\n');
console.log(JSON.stringify({ accounts: [{ role: 'mentee', email: 'mia@example.com', password: 'pw' }] }));
`;

describe('a system of seven small apps', () => {
  let root: string;
  let options: SystemOptions;
  let system: System;
  const crashes: Crash[] = [];
  const environments = new Map<AppName, Record<string, string>>();

  beforeAll(async () => {
    const { runAs } = await postgresBinaries();
    root = await mkdtemp(join(temporaryBase(runAs), 'mentorhub-system-'));
    await chmod(root, 0o755);
    for (const app of appNames) {
      await mkdir(join(root, 'apps', app, 'dist'), { recursive: true });
      await cp(fixture, join(root, 'apps', app, 'dist', 'main.js'));
    }
    await mkdir(join(root, 'libs', 'messaging', 'dist'), { recursive: true });
    await writeFile(join(root, 'package.json'), '{"type":"module"}');
    await writeFile(
      join(root, 'libs', 'messaging', 'dist', 'nats-permissions.js'),
      natsPermissions,
    );
    await writeFile(join(root, 'apps', 'identity', 'dist', 'demo-data.js'), demoData);
    options = {
      root,
      dataDirectory: join(root, '.data'),
      environment: { PATH: process.env['PATH'], DEMO_LOG: join(root, 'demo.log') },
      replicas: { 'api-gateway': 2 },
      demoData: true,
      onCrash: (crash) => crashes.push(crash),
      onLog: (app, _replica, line) => {
        if (!line.startsWith('environment ')) return;
        environments.set(app, JSON.parse(line.slice(12)) as Record<string, string>);
      },
    };
    system = await startSystem(options);
  }, 60_000);

  afterAll(async () => {
    await system.stop();
    await rm(root, { recursive: true, force: true });
  }, 60_000);

  it('is the local profile, and refuses to start in another one', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'mentorhub-profile-'));
    const starting = startSystem({
      ...options,
      dataDirectory: elsewhere,
      environment: { ...options.environment, PROFILE: 'production' },
    });
    await expect(starting).rejects.toThrow(/PROFILE is production.*Unset PROFILE/s);
    await rm(elsewhere, { recursive: true, force: true });
  });

  it('serves both replicas of a gateway through the edge', async () => {
    const pids = new Set<number>();
    for (let turn = 0; turn < 2; turn += 1) {
      const answer = await fetch(`${system.urls.edge}/api/v1/mentors`);
      pids.add(((await answer.json()) as { pid: number }).pid);
    }
    expect(pids).toEqual(new Set(system.apps('api-gateway').map(({ pid }) => pid)));
  });

  it('gives every service its own database and NATS user, and identity alone the secret key', () => {
    const identity = environments.get('identity');
    expect(identity).toMatchObject({
      PROFILE: 'local',
      NATS_USER: 'identity',
      NATS_URL: system.urls.nats,
      DATABASE_URL_IDENTITY: system.databases.identity,
      RUN_MIGRATIONS: 'true',
      PUBLIC_URL: system.urls.edge,
      SECRET_KEY: expect.stringMatching(/^.{43}$/) as string,
    });
    const chat = environments.get('chat');
    expect(chat).not.toHaveProperty('SECRET_KEY');
    expect(chat).not.toHaveProperty('DATABASE_URL_IDENTITY');
    expect(chat?.['NATS_PASSWORD']).not.toBe(identity?.['NATS_PASSWORD']);
    expect(environments.get('notifications')?.['MAIL_DIRECTORY']).toBe(system.mailDirectory);
  });

  it('lets a service create extensions in its own database and keeps it out of the others', async () => {
    const own = new Client({ connectionString: system.databases.chat });
    await own.connect();
    await own.query(
      'CREATE EXTENSION btree_gist; CREATE EXTENSION pg_trgm; CREATE EXTENSION citext',
    );
    await own.end();
    const url = new URL(system.databases.chat);
    url.pathname = '/identity';
    const foreign = new Client({ connectionString: url.href });
    await expect(foreign.connect()).rejects.toThrow(/permission denied for database "identity"/);
  });

  it('keeps its secrets from other users of the machine', async () => {
    for (const file of ['secrets.json', 'task-environment.json']) {
      const { mode } = await stat(join(options.dataDirectory, file));
      expect(mode & 0o777).toBe(0o600);
    }
  });

  it('says where identity runs to commands, and no more than they need', async () => {
    const text = await readFile(join(options.dataDirectory, 'task-environment.json'), 'utf8');
    const given = environments.get('identity') ?? {};
    const needed = ['DATABASE_URL_IDENTITY', 'NATS_PASSWORD', 'NATS_URL', 'NATS_USER', 'NODE_ENV'];
    const names = [...needed, 'PROFILE', 'PUBLIC_URL', 'SECRET_KEY'];
    expect(JSON.parse(text)).toEqual({
      identity: Object.fromEntries(names.map((name) => [name, given[name]])),
    });
  });

  it('starts a killed service again and reports it', async () => {
    const before = system.apps('chat')[0]?.pid;
    await system.kill('chat');
    await system.ready('chat');
    expect(system.apps('chat')[0]?.pid).not.toBe(before);
    expect(crashes.at(-1)).toMatchObject({ name: 'chat', reason: 'SIGKILL', restartsIn: 500 });
  });

  it('refuses a second start on the same data', async () => {
    await expect(startSystem(options)).rejects.toThrow(/already running on the data/);
    expect(existsSync(join(options.dataDirectory, 'running.json'))).toBe(true);
  });

  it('names the port that is taken, its holder and the variable', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => {
      holder.listen(0, '127.0.0.1', resolve);
    });
    onTestFinished(() => void holder.close());
    const address = holder.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const second = startSystem({
      ...options,
      dataDirectory: join(root, '.other'),
      environment: { PORT_EDGE: String(port) },
    });
    await expect(second).rejects.toThrow(
      new RegExp(`${port}  in use by .*process ${process.pid}.*PORT_EDGE`),
    );
  });

  it('names the app that does not start and shows what it wrote', async () => {
    const second = startSystem({
      ...options,
      dataDirectory: join(root, '.third'),
      persistent: false,
      demoData: false,
      onLog: undefined,
      appEnvironment: { payments: { FIXTURE: 'bad configuration' } },
    });
    await expect(second).rejects.toThrow(
      /payments does not start: exit code 78\.[^]*SECRET_KEY is missing/,
    );
    expect(existsSync(join(root, '.third'))).toBe(false);
  }, 30_000);

  it('keeps its data, secrets and demo data over a restart', async () => {
    const { databases, accounts } = system;
    const key = environments.get('identity')?.['SECRET_KEY'];
    await system.stop();

    system = await startSystem(options);

    expect(accounts).toEqual([{ role: 'mentee', email: 'mia@example.com', password: 'pw' }]);
    expect(system.accounts).toEqual(accounts);
    await expect(readFile(join(root, 'demo.log'), 'utf8')).resolves.toBe('loaded\n');
    expect(environments.get('identity')?.['SECRET_KEY']).toBe(key);
    expect(new URL(system.databases.chat).password).toBe(new URL(databases.chat).password);
  }, 60_000);
});
