import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { bundleApp } from '@mentorhub/bundle';
import { freePort, removeAfterwards, workspaceRoot } from '@mentorhub/local-system';
import { type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const services = ['identity', 'mentorship', 'chat', 'notifications', 'payments'];
const apps = [...services, 'api-gateway', 'chat-gateway'];

/** Most memory that an idle process may take, in MB. */
const memoryLimits: Record<string, number> = { 'api-gateway': 150, 'chat-gateway': 120 };
const serviceLimit = 115;
const totalLimit = 820;

const runs = 3;
const restMs = 3000;

interface Weight {
  /** CPU time until the app is ready. */
  cpuMs: number;
  /** Resident memory at rest. */
  megabytes: number;
}

interface Running {
  weight: Promise<Weight>;
  stop(): Promise<void>;
}

const temporary = mkdtempSync(join(tmpdir(), 'mentorhub-weight-'));
removeAfterwards(temporary);
const node = join(workspaceRoot, 'node_modules', 'node', 'bin', 'node');

/** User and system time of a process; the kernel counts in hundredths of a second. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function megabytesOf(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}

function start(main: string, environment: Record<string, string>): Running {
  const child = spawn(node, [main], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let output = '';
  const ready = new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (text.includes('"Ready."')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`${main} ended with ${code}:\n${output}`)));
  });
  const weigh = async (): Promise<Weight> => {
    await ready;
    const pid = child.pid ?? 0;
    const cpuMs = cpuMsOf(pid);
    await delay(restMs);
    return { cpuMs, megabytes: megabytesOf(pid) };
  };
  return {
    weight: weigh(),
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** The lightest of several runs: what else the machine does only adds. */
function lightest(weights: readonly Weight[]): Weight {
  return {
    cpuMs: Math.min(...weights.map(({ cpuMs }) => cpuMs)),
    megabytes: Math.min(...weights.map(({ megabytes }) => megabytes)),
  };
}

describe('a bundle against the same app without it', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  const databases = new Map<string, TestDatabase>();
  const plain = new Map<string, Weight>();
  const bundled = new Map<string, Weight>();

  async function environmentOf(app: string): Promise<Record<string, string>> {
    return {
      PORT: String(await freePort()),
      MANAGEMENT_PORT: String(await freePort()),
      NATS_URL: nats.url,
      PUBLIC_URL: 'http://localhost:8000',
      TRUSTED_PROXIES: 'loopback',
      SECRET_KEY: 'a key of at least 32 characters, for tests',
      MAIL_TRANSPORT: 'sendgrid',
      MAIL_FROM: 'MentorHub <no-reply@mentorhub.example>',
      SENDGRID_API_KEY: 'no key',
      SANDBOX_PAYMENTS_IN_PRODUCTION: 'yes',
      RUN_MIGRATIONS: 'true',
      [`DATABASE_URL_${app.toUpperCase()}`]: databases.get(app)?.directUrl ?? '',
    };
  }

  beforeAll(async () => {
    nats = await testNats();
    for (const app of services) databases.set(app, await testDatabase(app));
    for (const app of apps) await bundleApp({ app, folder: join(temporary, app) });
    const mains = (app: string) =>
      [
        [plain, join(workspaceRoot, 'apps', app, 'dist', 'main.js')],
        [bundled, join(temporary, app, 'main.js')],
      ] as const;
    // Gateways wait for its list of ended sign-ins.
    const identity = start(mains('identity')[0][1], await environmentOf('identity'));
    await identity.weight;
    try {
      for (const app of apps) {
        const weights = new Map<string, Weight[]>();
        for (let run = 0; run <= runs; run += 1) {
          for (const [, main] of mains(app)) {
            const running = start(main, await environmentOf(app));
            try {
              const weight = await running.weight;
              // The first one migrates the database and fills the file cache.
              if (run > 0) weights.set(main, [...(weights.get(main) ?? []), weight]);
            } finally {
              await running.stop();
            }
          }
        }
        for (const [result, main] of mains(app)) result.set(app, lightest(weights.get(main) ?? []));
      }
    } finally {
      await identity.stop();
    }
    const rows = apps.map((app) => ({ app, plain: plain.get(app), bundled: bundled.get(app) }));
    process.stdout.write(`${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
  });

  afterAll(async () => {
    for (const database of databases.values()) await database.drop();
    await nats.stop();
  });

  it.each(apps)('%s is ready after at most 0.65 of the CPU time', (app) => {
    const ratio = (bundled.get(app)?.cpuMs ?? Infinity) / (plain.get(app)?.cpuMs ?? 0);
    expect(ratio).toBeLessThanOrEqual(0.65);
  });

  it.each(apps)('%s rests within its memory', (app) => {
    expect(bundled.get(app)?.megabytes).toBeLessThanOrEqual(memoryLimits[app] ?? serviceLimit);
  });

  it(`all seven rest within ${totalLimit} MB`, () => {
    const total = [...bundled.values()].reduce((sum, { megabytes }) => sum + megabytes, 0);
    expect(total).toBeLessThanOrEqual(totalLimit);
  });
});
