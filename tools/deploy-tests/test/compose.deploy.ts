import {
  chmodSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  attack,
  holdHalfOpen,
  rawAnswer,
  rawHandshake,
  rawRequest,
} from '@mentorhub/http-server-testing';
import { appNames, workspaceRoot } from '@mentorhub/local-system';
import { eventually, testCertificates } from '@mentorhub/testing';
import { fromSeed } from '@nats-io/nkeys';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { run } from '../src/command.js';
import { watchCommandLines } from '../src/command-lines.js';
import { ComposeProject, type Container } from '../src/compose.js';
import { EdgeClient } from '../src/edge-client.js';
import { appImages, Docker } from '../src/images.js';

const engine = inject('engine');
const servers = inject('servers');
const services = ['identity', 'mentorship', 'chat', 'notifications', 'payments'];
const once = ['volumes', 'databases', ...services.map((service) => `migrate-${service}`)];
const lasting = ['postgres', 'nats', 'edge', ...appNames];

let version: string;
const projects: ComposeProject[] = [];

async function makeProject(
  name: string,
  options: { overrides?: string[]; settings?: Record<string, string> } = {},
): Promise<ComposeProject> {
  const project = await ComposeProject.make(`compose-${name}`, {
    engine,
    version,
    servers,
    ...options,
  });
  projects.push(project);
  return project;
}

beforeAll(async () => {
  version = await appImages(new Docker(engine), inject('bases'));
});

afterAll(async () => {
  for (const project of projects) await project.remove();
});

const errorFormat = (status: number, code: string) => ({
  detail: expect.stringMatching(/\.$/) as string,
  status_code: status,
  code,
  errors: [],
  request_id: expect.stringMatching(/^[\da-f]{8}-[\da-f-]{27}$/) as string,
});

describe('the secrets of the Compose file', () => {
  let project: ComposeProject;
  let said: string;

  const valuesOf = (): Map<string, string> =>
    new Map(
      readdirSync(project.secrets).map((name) => [
        name,
        readFileSync(join(project.secrets, name), 'utf8'),
      ]),
    );

  beforeAll(async () => {
    project = await makeProject('secrets');
    said = await project.makeSecrets();
  });

  it('are all made at once, each named and none printed', async () => {
    const { secrets } = JSON.parse(await project.compose('config', '--format', 'json')) as {
      secrets: Record<string, { file: string }>;
    };
    const values = valuesOf();
    const made = [...values.keys()].toSorted();
    // The edge has a certificate of its own by default, and nobody can make the key of a SendGrid account.
    expect(made).toEqual(
      [
        ...Object.keys(secrets).filter((name) => name !== 'sendgrid-api-key'),
        'nats.env',
      ].toSorted(),
    );
    for (const [name, value] of values) {
      expect(said).toMatch(new RegExp(`^made ${name}\\b`, 'm'));
      expect(name === 'nats.env' ? '' : said).not.toContain(value.trim());
      expect(value.trim().length).toBeGreaterThanOrEqual(58);
    }
    expect(new Set(values.values()).size).toBe(values.size);
    expect(said).toContain('sendgrid-api-key');
  });

  it('are in a folder that nobody else can enter, and cannot be changed by accident', () => {
    expect(statSync(project.secrets).mode & 0o777).toBe(0o700);
    for (const name of valuesOf().keys()) {
      const { mode } = statSync(join(project.secrets, name));
      expect([name, (mode & 0o777).toString(8)]).toEqual([
        name,
        name === 'nats.env' ? '600' : '444',
      ]);
    }
  });

  it('are NKeys that NATS knows, with their public keys', () => {
    const values = valuesOf();
    for (const app of appNames) {
      const seed = new TextEncoder().encode(values.get(`nats-nkey-seed-${app}`)?.trim());
      const variable = `NATS_NKEY_${app.toUpperCase().replaceAll('-', '_')}`;
      expect(values.get('nats.env')).toContain(`${variable}=${fromSeed(seed).getPublicKey()}\n`);
    }
  });

  it('are never overwritten, and one that is gone is made anew', async () => {
    const before = valuesOf();
    await expect(project.makeSecrets()).resolves.toMatch(/^every secret was there already$/m);
    expect(valuesOf()).toEqual(before);
    rmSync(join(project.secrets, 'nats-nkey-seed-chat'));
    expect(await project.makeSecrets()).toMatch(/^made nats-nkey-seed-chat\nmade nats\.env.*$/m);
    const after = valuesOf();
    const changed = [...after].filter(([name, value]) => before.get(name) !== value);
    expect(changed.map(([name]) => name).toSorted()).toEqual(['nats-nkey-seed-chat', 'nats.env']);
  });

  it.each([
    ['is empty', '', 'is empty: remove it'],
    [
      'has a wrong letter',
      'SUAOYBYQ3J6YO5EHUD5BZZRZ6LQBB6D2RWJC7DJXEL3P27E5GGQFDGLW7A\n',
      'is not the seed',
    ],
    ['is no key', 'chat\n', 'is not the seed'],
  ])('are named when one %s', async (_what, value, message) => {
    const file = join(project.secrets, 'nats-nkey-seed-chat');
    const before = readFileSync(file);
    rmSync(file);
    writeFileSync(file, value);
    const { code, stderr } = await project.attempt('deploy/compose/secrets', []);
    expect([code, stderr]).toEqual([1, expect.stringContaining(`nats-nkey-seed-chat ${message}`)]);
    expect(readFileSync(file, 'utf8')).toBe(value);
    rmSync(file);
    writeFileSync(file, before);
  });
});

describe('the Compose file', () => {
  let project: ComposeProject;

  beforeAll(async () => {
    project = await makeProject('file', { overrides: [] });
    await project.makeSecrets();
  });

  it.each([
    'MENTORHUB_VERSION',
    'MENTORHUB_DOMAIN',
    'ADMIN_EMAIL',
    'MAIL_FROM',
    'SANDBOX_PAYMENTS_IN_PRODUCTION',
  ])('names %s when it is not set, and says what it is for', async (name) => {
    for (const value of [undefined, '']) {
      const settings = { PUBLIC_URL: undefined, [name]: value };
      const { code, stderr } = await project.attemptCompose(['config', '--quiet'], settings);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(new RegExp(`required variable ${name} is missing a value: .*${name}`));
    }
  });

  it('names a secret that was not made', async () => {
    const parameters = ['up', '--no-build', '--no-deps', '--detach', 'notifications'];
    const { code, stderr } = await project.attemptCompose(parameters);
    expect([code, stderr]).toEqual([
      expect.any(Number),
      expect.stringMatching(/source path does not exist: .*\/sendgrid-api-key/),
    ]);
    expect(code).not.toBe(0);
    const settings = { MENTORHUB_SECRETS: '/nowhere' };
    const without = await project.attemptCompose(['up', '--no-build', '--detach'], settings);
    expect(without.code).not.toBe(0);
    expect(without.stderr).toContain('/nowhere/nats.env not found');
  });

  it.each([
    ['services: { chat: { restrat: always } }', 'restrat'],
    ['servces: { chat: { restart: always } }', 'servces'],
    ['services: { chat: { healthcheck: { intervall: 5s } } }', 'intervall'],
    ['services: { chat: { mem_limit: [1] } }', 'mem_limit'],
    ['services: { chat: { depends_on: { cat: { condition: service_started } } } }', 'cat'],
    ['services: { chat: { networks: [bsu] } }', 'bsu'],
    ['services: { chat: { secrets: [secretkey] } }', 'secretkey'],
  ])('is refused with %s in it', async (text, name) => {
    const file = join(project.secrets, '..', 'planted.yml');
    writeFileSync(file, `${text}\n`);
    const { code, stderr } = await project.attemptCompose(['config', '--quiet'], {
      COMPOSE_FILE: `docker-compose.yml:${file}`,
    });
    expect(code).not.toBe(0);
    expect(stderr).toContain(name);
  });

  it('is whole, and so are the files on top of it and the settings that come with it', async () => {
    for (const files of [
      'docker-compose.yml:deploy/compose/own-certificate.yml',
      'docker-compose.yml',
    ]) {
      const { stderr } = await project.attemptCompose(['config', '--quiet'], {
        COMPOSE_FILE: files,
      });
      expect(stderr).toBe('');
    }
    const tried = await project.attempt(
      'docker',
      ['compose', '--env-file', 'deploy/compose/try.env', 'config', '--format', 'json'],
      Object.fromEntries(
        [
          'COMPOSE_FILE',
          'MENTORHUB_VERSION',
          'MENTORHUB_DOMAIN',
          'ADMIN_EMAIL',
          'MAIL_FROM',
          'SANDBOX_PAYMENTS_IN_PRODUCTION',
        ].map((name) => [name, undefined]),
      ),
    );
    expect(tried.stderr).toBe('');
    const { services: tries } = JSON.parse(tried.stdout) as {
      services: Record<string, { environment: Record<string, string>; image: string }>;
    };
    expect(tries['notifications']?.environment['MAIL_TRANSPORT']).toBe('log');
    const { version: ours } = JSON.parse(
      readFileSync(join(workspaceRoot, 'package.json'), 'utf8'),
    ) as { version: string };
    expect(tries['chat']?.image).toBe(`mentorhub/chat:${ours}`);
    expect(readFileSync(join(workspaceRoot, 'deploy/compose/production.env'), 'utf8')).toContain(
      `\nMENTORHUB_VERSION=${ours}\n`,
    );
  });

  it('builds with the base images of the Dockerfile', async () => {
    const dockerfile = readFileSync(join(workspaceRoot, 'deploy/Dockerfile'), 'utf8');
    const config = JSON.parse(await project.compose('config', '--format', 'json')) as {
      services: Record<string, { build?: { args: Record<string, string> } }>;
    };
    for (const app of appNames) {
      const { APP, BUILD_IMAGE, RUNTIME_IMAGE } = config.services[app]?.build?.args ?? {};
      expect(APP).toBe(app);
      expect(dockerfile).toContain(`ARG BUILD_IMAGE=${BUILD_IMAGE}\n`);
      expect(dockerfile).toContain(`ARG RUNTIME_IMAGE=${RUNTIME_IMAGE}\n`);
    }
  });
});

describe('the edge', () => {
  let project: ComposeProject;
  let client: EdgeClient;
  let silentFor: Promise<{ status: number; text: string; ms: number }>;
  let quiet: { socket: ReturnType<typeof connect>; since: number; close: () => void };

  beforeAll(async () => {
    project = await makeProject('edge', {
      overrides: ['deploy/compose/try.yml', 'tools/deploy-tests/src/echo.yml'],
    });
    await project.makeSecrets();
    await project.compose('up', '--no-build', '--detach', 'edge', 'api-gateway', 'chat-gateway');
    await project.saveAuthority();
    client = new EdgeClient(project.httpsPort, project.authority);
    await eventually('the echo', async () => {
      const { status } = await client.request('/');
      return status === 200 ? true : undefined;
    });
    // What takes more than a minute goes on while the rest is tried.
    const start = performance.now();
    silentFor = client
      .request('/silent')
      .then(({ status, text }) => ({ status, text, ms: performance.now() - start }));
    const { port, close } = await client.plainPort();
    const socket = connect(port, '127.0.0.1', () => socket.write(rawHandshake()));
    await new Promise((resolve) => socket.once('data', resolve));
    quiet = { socket, since: performance.now(), close };
  });

  interface Echo {
    name: string;
    method: string;
    url: string;
    headers: Record<string, string>;
    bytes: number;
  }

  const echo = async (...call: Parameters<EdgeClient['request']>): Promise<Echo> => {
    const { status, text } = await client.request(...call);
    expect([status, text]).toEqual([200, expect.stringMatching(/^{/)]);
    return JSON.parse(text) as Echo;
  };

  it('passes method, path, body and headers to the API gateway', async () => {
    const seen = await echo('/api/v1/things?x=%2F&y', {
      method: 'PUT',
      headers: { Authorization: 'Bearer x', 'X-Request-ID': 'mine', 'Accept-Language': 'ru' },
      body: Buffer.from('a body'),
    });
    expect(seen).toMatchObject({
      name: 'api-gateway',
      method: 'PUT',
      url: '/api/v1/things?x=%2F&y',
      bytes: 6,
      headers: {
        authorization: 'Bearer x',
        'x-request-id': 'mine',
        'accept-language': 'ru',
        host: `localhost:${project.httpsPort}`,
      },
    });
  });

  it('passes /ws and what is below it to the chat gateway', async () => {
    for (const path of ['/ws', '/ws/chat?ticket=1']) {
      expect(await echo(path)).toMatchObject({ name: 'chat-gateway', url: path });
    }
    expect((await echo('/wsx')).name).toBe('api-gateway');
    const proxy = await client.plainPort();
    const elsewhere = await rawAnswer(
      proxy.port,
      rawHandshake('/api/v1/mentors', 'Connection: close\r\n'),
    );
    proxy.close();
    expect(elsewhere).toMatch(/^HTTP\/1\.1 404 [^]*use \/ws\/chat/);
  });

  it('says who the client is, and drops what the client says of that', async () => {
    const { NetworkSettings } = await project.container('edge');
    const network = Object.entries(NetworkSettings.Networks).find(([name]) =>
      name.endsWith('_public'),
    );
    const ours = network?.[1].IPAddress.replace(/\d+$/, '1');
    const claims = ['For', 'Host', 'Proto', 'Port', 'Server', 'Prefix', 'Client-Cert'].map(
      (name) => `X-Forwarded-${name}`,
    );
    const forged = ['Forwarded', 'X-Real-IP', ...claims];
    const proxy = await client.plainPort();
    for (const connection of ['close', `close, ${forged.join(', ')}`]) {
      const lines = forged.map((name) => `${name}: 6.6.6.6\r\n${name.toLowerCase()}: 6.6.6.6\r\n`);
      const text = rawRequest('GET /api', `Connection: ${connection}\r\n${lines.join('')}`);
      const answer = await rawAnswer(proxy.port, text);
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer).not.toContain('6.6.6.6');
      const { headers } = JSON.parse(
        answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1),
      ) as Echo;
      const forwarded = Object.entries(headers).filter(([name]) => name.includes('forward'));
      expect(Object.fromEntries(forwarded)).toEqual({
        'x-forwarded-for': ours,
        'x-forwarded-host': 'localhost',
        'x-forwarded-proto': 'https',
      });
    }
    proxy.close();
  });

  it('serves REST to a client that asks for another protocol', async () => {
    const proxy = await client.plainPort();
    const headers = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n';
    const answer = await rawAnswer(proxy.port, rawRequest('GET /api/v1/mentors', headers));
    proxy.close();
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).not.toContain('"upgrade"');
  });

  it.each([
    '/metrics',
    '/metrics/',
    '//metrics',
    '/%6detrics',
    '/x/../metrics',
    '/METRICS',
    '/./metrics',
    '/metrics%2f',
    '/metrics?x',
    '/health/detailed',
    '/health/detailed/',
    '/health//detailed',
    '/health/detaile%64',
    '/health%2fdetailed',
    '/health/../health/detailed',
  ])('hides %s', async (path) => {
    const { status, text } = await client.request(path);
    expect([status, JSON.parse(text)]).toEqual([404, errorFormat(404, 'NOT_FOUND')]);
  });

  it('takes bodies of up to 10 MiB, and refuses larger ones in the error format', async () => {
    const limit = 10 * 1024 ** 2;
    const send = (bytes: number, headers?: Record<string, string>) =>
      client.request('/api', { method: 'POST', headers, body: Buffer.alloc(bytes) });
    expect(JSON.parse((await send(limit)).text)).toMatchObject({ bytes: limit });
    const { status, text: refusal } = await send(limit + 1, { 'Transfer-Encoding': 'chunked' });
    expect([status, JSON.parse(refusal)]).toEqual([413, errorFormat(413, 'BODY_TOO_LARGE')]);
    // Caddy closes as soon as it has refused an announced length. Node's client gives up reading when its next write
    // fails, so the body is not sent.
    const announced = await client.plainPort();
    for (const length of ['10485761', '99999999', '000123456789', '10500000', '11000000']) {
      const text = rawRequest(
        'POST /api',
        `Connection: close\r\nContent-Length: ${length}\r\n`,
        'x',
      );
      expect([length, await rawAnswer(announced.port, text)]).toEqual([
        length,
        expect.stringMatching(/^HTTP\/1\.1 413 /),
      ]);
    }
    announced.close();
  });

  it('names its own errors with the request id of the client, if that is a sane one', async () => {
    for (const [sent, used] of [
      ['Trace_1.a-b', /^Trace_1\.a-b$/],
      ['x'.repeat(129), /^[\da-f]{8}-[\da-f-]{27}$/],
      ['a"b', /^[\da-f]{8}-[\da-f-]{27}$/],
      ['{http.vars.tls}', /^[\da-f]{8}-[\da-f-]{27}$/],
    ] as const) {
      const { headers, text } = await client.request('/metrics', {
        headers: { 'X-Request-ID': sent },
      });
      const { request_id } = JSON.parse(text) as { request_id: string };
      expect(request_id).toMatch(used);
      expect(headers['x-request-id']).toBe(request_id);
    }
  });

  it('answers requests for other names than its own with an error, and plain HTTP with its address', async () => {
    const { status, text } = await client.request('/api', {
      headers: { Host: 'elsewhere.example' },
    });
    expect([status, JSON.parse(text)]).toEqual([404, errorFormat(404, 'NOT_FOUND')]);
    for (const host of ['localhost', 'elsewhere.example']) {
      const answer = await rawAnswer(
        project.httpPort,
        `GET /docs?x=1 HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 308 /);
      expect(answer).toContain(`Location: ${project.url}/docs?x=1\r\n`);
    }
  });

  it('closes connections that never finish a request or a TLS handshake, and lives through an attack', async () => {
    const proxy = await client.plainPort();
    const start = performance.now();
    await Promise.all([
      attack(proxy.port, 2000),
      holdHalfOpen(project.httpsPort, 20),
      holdHalfOpen(project.httpPort, 20),
      ...['GET /health HTTP/1.1\r\nHo', ''].flatMap((text) =>
        Array.from({ length: 10 }, () => rawAnswer(proxy.port, text)),
      ),
    ]);
    expect(performance.now() - start).toBeLessThan(60_000);
    proxy.close();
    await echo('/');
    const { State } = await project.container('edge');
    expect(State).toMatchObject({ Running: true, OOMKilled: false });
  });

  it('does not let one request pass as two', async () => {
    const proxy = await client.plainPort();
    const smuggled = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n';
    for (const headers of [
      'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
      'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
      'Transfer-Encoding: xchunked\r\n',
      'Content-Length: 5\r\nContent-Length: 6\r\n',
      'Content-Length: +5\r\n',
      'Transfer-Encoding : chunked\r\n',
    ]) {
      const text = rawRequest(
        'POST /api',
        `Connection: close\r\n${headers}`,
        `0\r\n\r\n${smuggled}`,
      );
      const answer = await rawAnswer(proxy.port, text);
      expect([headers, answer.match(/HTTP\/1\.1 /g)?.length]).toEqual([headers, 1]);
      expect(answer).not.toContain('"url":"/metrics"');
    }
    proxy.close();
  });

  it('answers 504 in the error format when a gateway stays silent', async () => {
    const { status, text, ms } = await silentFor;
    expect([status, JSON.parse(text)]).toEqual([504, errorFormat(504, 'DEADLINE_EXCEEDED')]);
    expect(ms).toBeGreaterThan(60_000);
  });

  it('keeps a WebSocket on which nothing is said for longer than its timeouts', async () => {
    await eventually(
      '80 seconds to be over',
      () => (performance.now() - quiet.since > 80_000 ? true : undefined),
      90_000,
    );
    const heard = new Promise<string>((resolve) =>
      quiet.socket.once('data', (bytes) => resolve(bytes.toString())),
    );
    quiet.socket.write('still there?');
    await expect(heard).resolves.toBe('still there?');
    quiet.close();
  });

  it('answers 503 in the error format while a gateway is away, and logs no address with a ticket in it', async () => {
    await project.compose('stop', '--timeout', '1', 'api-gateway', 'chat-gateway');
    for (const path of ['/api/v1/mentors?token=SECRET1', '/ws/chat?ticket=SECRET2']) {
      const { status, headers, text } = await client.request(path, {
        headers: { Authorization: 'Bearer SECRET3' },
      });
      expect([status, JSON.parse(text)]).toEqual([503, errorFormat(503, 'SERVICE_UNAVAILABLE')]);
      expect(headers).toMatchObject({
        'retry-after': '1',
        'cache-control': 'no-store',
        'content-type': 'application/json; charset=utf-8',
        'content-security-policy': expect.stringContaining("default-src 'none'"),
        'strict-transport-security': expect.any(String),
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
      });
    }
    const logs = await project.compose('logs', 'edge');
    expect(logs).toContain('/ws/chat');
    expect(logs).not.toMatch(/SECRET\d/);
    await project.remove();
  });
});

describe('the certificate of the edge', () => {
  it('is one of Let’s Encrypt by default', async () => {
    const project = await makeProject('acme', { overrides: [] });
    await project.makeSecrets();
    const adapt = ['caddy', 'adapt', '--config', '/etc/caddy/Caddyfile'];
    const output = await project.compose('run', '--rm', '--no-deps', '-T', 'edge', ...adapt);
    const { apps } = JSON.parse(output) as { apps: { tls: unknown } };
    expect(apps.tls).toMatchObject({
      automation: { policies: [{ subjects: ['localhost'], issuers: [{ module: 'acme' }] }] },
    });
    await project.remove();
  });

  it('is the own one where that is asked for', async () => {
    const project = await makeProject('own', {
      overrides: ['deploy/compose/own-certificate.yml'],
      settings: { MENTORHUB_ADDRESS: '127.0.0.1' },
    });
    await project.makeSecrets();
    const certificates = await testCertificates(['localhost']);
    copyFileSync(certificates.certFile, join(project.secrets, 'tls-certificate'));
    copyFileSync(certificates.keyFile, join(project.secrets, 'tls-key'));
    // As somebody leaves it who is careful with keys.
    chmodSync(join(project.secrets, 'tls-key'), 0o600);
    await project.makeSecrets();
    await project.compose('up', '--no-build', '--detach', '--wait', 'edge');
    const client = new EdgeClient(project.httpsPort, certificates.caFile);
    const { status, text } = await client.request('/api/v1/mentors');
    expect([status, JSON.parse(text)]).toEqual([503, errorFormat(503, 'SERVICE_UNAVAILABLE')]);
    await certificates.remove();
    await project.remove();
  });
});

describe('MentorHub by Docker Compose', () => {
  let project: ComposeProject;
  let started: number;
  let commandLines: string;

  const up = async (): Promise<number> => {
    const start = performance.now();
    await project.compose('up', '--no-build', '--detach', '--wait');
    return performance.now() - start;
  };

  /** The story of `npm run demo`, by TLS that trusts the edge's authority and nothing else that is not public. */
  const playDemo = async (): Promise<string> =>
    run(
      process.execPath,
      [
        join(workspaceRoot, 'apps/e2e/dist/demo.js'),
        `--url=${project.url}`,
        '--admin-email=admin@demo.mentorhub.example',
        `--admin-password=${readFileSync(join(project.secrets, 'admin-password'), 'utf8').trim()}`,
      ],
      { environment: { ...process.env, NODE_EXTRA_CA_CERTS: project.authority } },
    );

  const allHealthy = (): Promise<Map<string, Container>> =>
    eventually(
      'every container to be healthy',
      async () => {
        const containers = await project.containers();
        const healthy = lasting.every((service) => {
          const state = containers.get(service)?.State;
          return state?.Running === true && state.Health?.Status === 'healthy';
        });
        return healthy ? containers : undefined;
      },
      120_000,
    );

  const inDatabase = (database: string, role: string, sql: string) =>
    project.attemptCompose([
      'exec',
      '-T',
      'postgres',
      'psql',
      '--no-psqlrc',
      '-qAtX',
      '-v',
      'ON_ERROR_STOP=1',
      '-U',
      role,
      '-d',
      database,
      '-c',
      sql,
    ]);

  /** Which of these, written `host:port`, take a TCP connection from a container in that network. */
  const reached = async (network: string, targets: readonly string[]): Promise<string[]> => {
    const script = `for (const target of ${JSON.stringify(targets)}) {
      const [host, port] = target.split(':');
      const socket = net.connect({ host, port, timeout: 10_000 });
      socket.on('connect', () => { console.log(target); socket.destroy(); });
      socket.on('timeout', () => socket.destroy());
      socket.on('error', () => {});
    }`;
    const image = `mentorhub/chat:${version}`;
    // Names that nobody knows take a thread each until the resolver gives up.
    const options = ['--rm', '--no-healthcheck', '--env=UV_THREADPOOL_SIZE=32', network];
    const output = await project.docker('run', ...options, image, '-e', script);
    return targets.filter((target) => output.split('\n').includes(target));
  };

  /** How many rows a table of each service has. */
  const counts = async (): Promise<string[]> => {
    const tables = {
      identity: 'users',
      mentorship: 'bookings',
      chat: 'messages',
      notifications: 'notifications',
      payments: 'payments',
    };
    const results = Object.entries(tables).map(([database, table]) =>
      inDatabase(database, 'postgres', `SELECT count(*) FROM ${table}`),
    );
    return (await Promise.all(results)).map(({ stdout, stderr }) => stdout.trim() + stderr);
  };

  beforeAll(async () => {
    project = await makeProject('system');
    const stop = watchCommandLines();
    await project.makeSecrets();
    started = await up();
    commandLines = stop();
    await project.saveAuthority();
  });

  it('is up from nothing within 90 seconds', async () => {
    expect(started).toBeLessThan(90_000);
    const containers = await allHealthy();
    expect([...containers.keys()].toSorted()).toEqual([...lasting, ...once].toSorted());
    for (const service of once) {
      expect([service, containers.get(service)?.State]).toMatchObject([
        service,
        { Status: 'exited', ExitCode: 0 },
      ]);
    }
  });

  it('plays the demo through its edge', async () => {
    await expect(playDemo()).resolves.toMatch(/Every scene passed\.\n$/);
  });

  it('runs every container confined', async () => {
    const containers = await project.containers();
    const users: Record<string, string> = {
      volumes: '0:0',
      postgres: '999:999',
      databases: '999:999',
    };
    for (const [service, { Config, HostConfig, Mounts }] of containers) {
      const capabilities: Record<string, string[]> = {
        volumes: ['CHOWN'],
        edge: ['NET_BIND_SERVICE'],
      };
      const added = (HostConfig.CapAdd ?? []).map((name) => name.replace(/^CAP_/, ''));
      expect([service, HostConfig]).toMatchObject([
        service,
        {
          CapDrop: ['ALL'],
          LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } },
          Privileged: false,
          ReadonlyRootfs: true,
          RestartPolicy: { Name: once.includes(service) ? 'no' : 'unless-stopped' },
          SecurityOpt: ['no-new-privileges:true'],
        },
      ]);
      expect([service, added]).toEqual([service, capabilities[service] ?? []]);
      expect(HostConfig.Memory).toBeGreaterThan(0);
      expect(HostConfig.Memory).toBeLessThanOrEqual(1536 * 1024 ** 2);
      expect(HostConfig.PidsLimit).toBeGreaterThan(0);
      expect([service, Config.User]).toEqual([service, users[service] ?? '65532:65532']);
      const writable = Mounts.filter(({ RW }) => RW).map(({ Type, Destination }) => [
        Type,
        Destination,
      ]);
      const volumes: Record<string, string[]> = {
        volumes: ['/volumes/edge', '/volumes/nats'],
        postgres: ['/var/lib/postgresql'],
        nats: ['/data/jetstream'],
        edge: ['/data'],
      };
      expect([
        service,
        writable.map(([, at = '']) => at).toSorted((a, b) => a.localeCompare(b)),
      ]).toEqual([service, volumes[service] ?? []]);
      expect(writable.every(([type]) => type === 'volume')).toBe(true);
      const isChecked = (Config.Healthcheck?.Test.length ?? 0) > 1;
      expect([service, isChecked || once.includes(service)]).toEqual([service, true]);
    }
    for (const app of appNames) {
      const { StopTimeout = 10 } = containers.get(app)?.Config ?? {};
      expect([app, StopTimeout]).toEqual([app, app === 'chat-gateway' ? 50 : 30]);
    }
  });

  it('leaves the processes no rights', async () => {
    for (const [service, { State }] of await allHealthy()) {
      if (!State.Running) continue;
      const status = readFileSync(`/proc/${State.Pid}/status`, 'utf8');
      const field = (name: string) => new RegExp(`^${name}:\\t(.*)$`, 'm').exec(status)?.[1];
      const bind = service === 'edge' ? '0000000000000400' : '0000000000000000';
      expect([service, field('CapBnd')]).toEqual([service, bind]);
      expect([service, field('NoNewPrivs'), field('Seccomp')]).toEqual([service, '1', '2']);
      expect(field('Uid')).not.toMatch(/\b0\b/);
      expect(field('Gid')).not.toMatch(/\b0\b/);
    }
    for (const service of ['postgres', 'nats', 'edge']) {
      for (const file of ['/planted', '/etc/planted', '/usr/bin/planted']) {
        const { stderr } = await project.attemptCompose([
          'exec',
          '-T',
          service,
          'sh',
          '-c',
          `echo x > ${file}`,
        ]);
        expect([service, stderr]).toEqual([
          service,
          expect.stringMatching(/Read-only file system/),
        ]);
      }
    }
  });

  it('shows no secret in settings, labels and logs of the containers, nor to those who list processes meanwhile', async () => {
    // The list was looked at often enough to see what is over soon.
    expect(commandLines).toContain('deploy/compose/secrets');
    expect(commandLines).toMatch(/\bpsql\b/);
    const containers = await project.containers();
    const logs = await project.compose('logs');
    const described = JSON.stringify([...containers.values()]);
    for (const name of readdirSync(project.secrets)) {
      if (name === 'nats.env') continue;
      const value = readFileSync(join(project.secrets, name), 'utf8').trim();
      const password = /:(\w+)@/.exec(value)?.[1] ?? value;
      for (const text of [logs, described, commandLines]) {
        expect(text.includes(password)).toBe(false);
      }
    }
  });

  it('publishes the ports of the edge alone, and a neighbour on the same engine reaches nothing', async () => {
    const containers = await allHealthy();
    const addresses: string[] = [];
    for (const [service, { HostConfig, NetworkSettings }] of containers) {
      expect([service, Object.keys(HostConfig.PortBindings ?? {}).toSorted()]).toEqual([
        service,
        service === 'edge' ? ['8080/tcp', '8443/tcp'] : [],
      ]);
      for (const { IPAddress } of Object.values(NetworkSettings.Networks)) {
        if (IPAddress !== '') addresses.push(IPAddress);
      }
    }
    expect(addresses.length).toBeGreaterThanOrEqual(lasting.length);
    const ports = [
      5432, 4222, 6222, 8222, 8001, 8002, 8011, 8012, 8013, 8014, 8015, 8021, 8022, 8080, 8081,
      8443, 2019,
    ];
    const targets = addresses.flatMap((address) => ports.map((port) => `${address}:${port}`));
    const network = `compose-neighbour${process.pid}`;
    await project.docker('network', 'create', network);
    try {
      expect(await reached(`--network=${network}`, targets)).toEqual([]);
    } finally {
      await project.docker('network', 'rm', network);
    }
    // The same probe from where it must find something.
    const postgres = containers.get('postgres');
    const own = Object.values(postgres?.NetworkSettings.Networks ?? {})[0]?.IPAddress ?? '';
    const same = `--network=container:${postgres?.Id}`;
    expect(await reached(same, targets)).toContain(`${own}:5432`);
  });

  it('lets no container reach anything beyond its networks', async () => {
    const containers = await project.containers();
    const everything = [
      'postgres:5432',
      'nats:4222',
      'nats:8222',
      'api-gateway:8001',
      'chat-gateway:8002',
      'chat-gateway:8022',
      'identity:8011',
    ];
    const reachable = (service: string): Promise<string[]> =>
      reached(`--network=container:${containers.get(service)?.Id}`, everything);
    const gateways = everything.filter((target) => /^(?:api|chat)-gateway:/.test(target));
    const nats = ['nats:4222', 'nats:8222'];
    expect(await reachable('edge')).toEqual(gateways);
    expect(await reachable('postgres')).toEqual(['postgres:5432', 'identity:8011']);
    expect(await reachable('nats')).toEqual([...nats, ...gateways, 'identity:8011']);
    expect(await reachable('api-gateway')).toEqual([...nats, ...gateways, 'identity:8011']);
    expect(await reachable('chat')).toEqual(everything);
    // From outside the edge leads to the public ports of the gateways, and to nothing for those who operate them.
    const client = new EdgeClient(project.httpsPort, project.authority);
    for (const path of ['/metrics', '/health/detailed']) {
      expect([path, (await client.request(path)).status]).toEqual([path, 404]);
    }
    // Outside of the engine, the edge and the sender of mails alone.
    const filter = `label=com.docker.compose.project=${project.name}`;
    const internal = await project.docker('network', 'ls', '--quiet', '--filter', filter);
    const networks = JSON.parse(
      await project.docker('network', 'inspect', ...internal.trim().split('\n')),
    ) as { Name: string; Internal: boolean }[];
    const open = networks.filter(({ Internal }) => !Internal).map(({ Name }) => Name);
    const outside = [...containers].filter(([, { NetworkSettings }]) =>
      open.some((name) => name in NetworkSettings.Networks),
    );
    expect(outside.map(([service]) => service).toSorted()).toEqual(['edge', 'notifications']);
  });

  it('gives each service the rows of its own database and nothing else', async () => {
    const limits = await inDatabase(
      'postgres',
      'postgres',
      'SELECT sum(rolconnlimit) FROM pg_roles WHERE rolcanlogin AND NOT rolsuper',
    );
    const most = await inDatabase('postgres', 'postgres', 'SHOW max_connections');
    expect(Number(limits.stdout)).toBe(5 * 48);
    expect(Number(most.stdout)).toBeGreaterThanOrEqual(Number(limits.stdout) + 10);
    for (const service of services) {
      const other = service === 'chat' ? 'identity' : 'chat';
      for (const database of [other, 'postgres', 'template1']) {
        for (const role of [service, `${service}_owner`]) {
          const { stderr } = await inDatabase(database, role, 'SELECT 1');
          expect(stderr).toContain(`permission denied for database "${database}"`);
        }
      }
      expect((await inDatabase(service, service, 'CREATE TABLE planted ()')).stderr).toContain(
        'permission denied for schema public',
      );
      expect((await inDatabase(service, service, 'DROP TABLE outbox')).stderr).toContain(
        'must be owner of table outbox',
      );
      expect((await inDatabase(service, service, 'SELECT count(*) FROM outbox')).code).toBe(0);
      const settings = [
        'exec',
        '-T',
        '--env',
        'PGPASSWORD=wrong',
        'postgres',
        'psql',
        '-h',
        '127.0.0.1',
        '-U',
        service,
        '-d',
        service,
        '-c',
        'SELECT 1',
      ];
      expect((await project.attemptCompose(settings)).stderr).toContain(
        'password authentication failed',
      );
    }
  });

  it('sorts and compares text as databases elsewhere do', async () => {
    const sql = `SELECT datlocprovider, datlocale, datcollate, datctype, pg_encoding_to_char(encoding)
      FROM pg_database WHERE datname = current_database()`;
    for (const service of services) {
      const { stdout, stderr } = await inDatabase(service, 'postgres', sql);
      expect([service, stdout.trim(), stderr]).toEqual([service, 'b|C.UTF-8|C|C.UTF-8|UTF8', '']);
    }
    const { stdout } = await inDatabase('chat', 'chat', `SELECT lower('ÉЖ'), 'b' > 'É', 'a' > 'B'`);
    expect(stdout.trim()).toBe('éж|f|t');
  });

  it('asks every other container for the password of a role', async () => {
    const ask = (password: string) =>
      project.attemptCompose([
        'run',
        '--rm',
        '--no-deps',
        '-T',
        '--env',
        `PGPASSWORD=${password}`,
        '--entrypoint',
        'psql',
        'databases',
        '--no-psqlrc',
        '-qAtX',
        '-h',
        'postgres',
        '-U',
        'chat',
        '-d',
        'chat',
        '-c',
        'SELECT current_user',
      ]);
    const url = readFileSync(join(project.secrets, 'database-url-chat'), 'utf8');
    expect((await ask(/:(\w+)@/.exec(url)?.[1] ?? '')).stdout.trim()).toBe('chat');
    const { code, stderr } = await ask('wrong');
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('password authentication failed for user "chat"'),
    ]);
  });

  /** Kills the process of a service, and waits until it has another one. */
  const crash = async (service: string): Promise<void> => {
    const { State } = await project.container(service);
    process.kill(State.Pid, 'SIGKILL');
    await eventually(
      `another process of ${service}`,
      async () => {
        const now = (await project.container(service)).State;
        return now.Running && now.Pid !== State.Pid && now.Pid !== 0 ? true : undefined;
      },
      60_000,
    );
  };

  it.each(lasting)('comes back and plays the demo after %s was killed', async (service) => {
    await crash(service);
    await allHealthy();
    await expect(playDemo()).resolves.toMatch(/Every scene passed\.\n$/);
  });

  it('gives a role the password of a secret that was replaced', async () => {
    const name = 'database-url-chat';
    const before = readFileSync(join(project.secrets, name), 'utf8');
    rmSync(join(project.secrets, name));
    await project.makeSecrets();
    expect(readFileSync(join(project.secrets, name), 'utf8')).not.toBe(before);
    await project.compose('up', '--no-build', '--detach', '--wait', '--force-recreate', 'chat');
    await allHealthy();
    await expect(playDemo()).resolves.toMatch(/Every scene passed\.\n$/);
  });

  it('gives the administrator of the databases another password, as docs/operations.md says', async () => {
    const file = join(project.secrets, 'postgres-password');
    rmSync(file);
    await project.makeSecrets();
    const databases = ['run', '--rm', '--no-deps', '-T', 'databases'];
    expect((await project.attemptCompose(databases)).stderr).toContain(
      'password authentication failed for user "postgres"',
    );
    const psql = 'docker compose exec -T postgres psql --username postgres --set ON_ERROR_STOP=1';
    await project.run(
      'sh',
      '-c',
      `echo "ALTER ROLE postgres PASSWORD '$(cat "${file}")'" | ${psql}`,
    );
    await expect(project.compose(...databases)).resolves.toContain(
      'Roles and databases are there.',
    );
  });

  const imageOfChat = async (): Promise<string> => (await project.container('chat')).Image;

  describe('in another version', () => {
    const next = `compose${process.pid}`;

    beforeAll(async () => {
      for (const app of appNames) {
        await project.docker('tag', `mentorhub/${app}:${version}`, `mentorhub/${app}:${next}`);
      }
    });

    afterAll(async () => {
      for (const app of appNames) {
        await project.attempt('docker', ['rmi', '--no-prune', `mentorhub/${app}:${next}`]);
      }
    });

    /** Chat of the other version: that of this one with one more instruction of a Dockerfile. */
    async function buildNextChat(instruction: string): Promise<void> {
      const folder = join(project.secrets, '..');
      const file = join(folder, 'Dockerfile');
      writeFileSync(file, `FROM mentorhub/chat:${version}\n${instruction}\n`);
      const tag = ['--tag', `mentorhub/chat:${next}`];
      await project.docker('build', '--quiet', ...tag, '--file', file, folder);
    }

    it('goes on in its own version when a migration of the other one fails', async () => {
      const program = `console.error('planted'); process.exit(1)`;
      await buildNextChat(`ENTRYPOINT ${JSON.stringify(['/usr/local/bin/node', '-e', program])}`);
      const before = await project.containers();
      const { code, stderr } = await project.attempt('deploy/compose/update', [], {
        MENTORHUB_VERSION: next,
      });
      expect([code, stderr]).toEqual([
        1,
        expect.stringContaining('the migrations of chat failed; the apps were not touched'),
      ]);
      const after = await allHealthy();
      for (const app of appNames) expect(after.get(app)?.Id).toBe(before.get(app)?.Id);
      await expect(playDemo()).resolves.toMatch(/Every scene passed\.\n$/);
    }, 600_000);

    it('is updated app by app, and goes back', async () => {
      const before = await imageOfChat();
      await buildNextChat(`LABEL test=${next}`);
      for (const to of [next, version]) {
        const { code, stderr } = await project.attempt('deploy/compose/update', [], {
          MENTORHUB_VERSION: to,
        });
        expect([code, code === 0 || stderr]).toEqual([0, true]);
        await allHealthy();
        expect((await imageOfChat()) === before).toBe(to === version);
        const { Id } = await project.container('chat');
        await project.attemptCompose(['up', '--no-build', '--detach', '--wait'], {
          MENTORHUB_VERSION: to,
        });
        expect((await project.container('chat')).Id).toBe(Id);
        await expect(playDemo()).resolves.toMatch(/Every scene passed\.\n$/);
      }
      expect(await project.compose('logs', 'nats')).toMatch(/Reloaded server configuration/);
      // What an update does to NATS must not keep it from coming back.
      await crash('nats');
      await allHealthy();
    }, 900_000);
  });

  it('stops a gateway without waiting for a balancer that looks', async () => {
    const containers = await project.containers();
    for (const gateway of ['api-gateway', 'chat-gateway']) {
      expect(containers.get(gateway)?.Config.Env).toContain('SHUTDOWN_DELAY_MS=0');
    }
    expect(containers.get('chat-gateway')?.Config.Env).toContain('WS_DRAIN_SECONDS=0');
    await project.compose('stop', 'chat-gateway');
    const { Id } = await project.container('chat-gateway');
    const logs = await project.docker('logs', '--timestamps', Id);
    const [from, to] = [/^(\S+) .*SIGTERM: finishing/m, /^(\S+) .*Stopped\./m].map((line) =>
      Date.parse(line.exec(logs)?.[1] ?? 'no such line'),
    );
    expect(to! - from!).toBeLessThan(5000);
    await up();
  });

  it('stops in peace, and has all its data after down and up', async () => {
    const before = await counts();
    expect(before.every((count) => Number(count) > 0)).toBe(true);
    const authority = readFileSync(project.authority, 'utf8');
    await project.compose('stop');
    for (const [service, { State }] of await project.containers()) {
      expect([service, State]).toMatchObject([service, { ExitCode: 0, OOMKilled: false }]);
    }
    await project.compose('down');
    await up();
    expect(await counts()).toEqual(before);
    await project.saveAuthority();
    expect(readFileSync(project.authority, 'utf8')).toBe(authority);
    await expect(playDemo()).resolves.toMatch(/Every scene passed\.\n$/);
  });
});
