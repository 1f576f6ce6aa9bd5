import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { bundleApp } from '@mentorhub/bundle';
import {
  type AppName,
  appNames,
  removeAfterwards,
  serviceNames,
  workspaceRoot,
} from '@mentorhub/local-system';
import { type TestDatabase, testDatabase, testNats } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ownNode } from '../src/app-process.js';
import { databaseSettings, freePorts, productionSettings } from '../src/app-settings.js';

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
  const child = spawn(ownNode, [main], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
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

/** What is compared: the compiled files in the workspace, and the bundle made of them. */
function mainsOf(app: string): { plain: string; bundled: string } {
  return {
    plain: join(workspaceRoot, 'apps', app, 'dist', 'main.js'),
    bundled: join(temporary, app, 'main.js'),
  };
}

describe('a bundle against the same app without it', () => {
  let nats: Awaited<ReturnType<typeof testNats>>;
  const databases = new Map<string, TestDatabase>();
  const weights = { plain: new Map<string, Weight>(), bundled: new Map<string, Weight>() };

  async function environmentOf(app: AppName): Promise<Record<string, string>> {
    return {
      ...productionSettings,
      ...(await freePorts()),
      ...databaseSettings(app, databases.get(app)?.directUrl),
      NATS_URL: nats.url,
      RUN_MIGRATIONS: 'true',
    };
  }

  beforeAll(async () => {
    nats = await testNats();
    for (const app of serviceNames) databases.set(app, await testDatabase(app));
    for (const app of appNames) await bundleApp({ app, folder: join(temporary, app) });
    // Gateways wait for its list of ended sign-ins.
    const identity = start(mainsOf('identity').plain, await environmentOf('identity'));
    await identity.weight;
    try {
      for (const app of appNames) {
        const seen: Record<'plain' | 'bundled', Weight[]> = { plain: [], bundled: [] };
        for (let run = 0; run <= runs; run += 1) {
          for (const kind of ['plain', 'bundled'] as const) {
            const running = start(mainsOf(app)[kind], await environmentOf(app));
            try {
              const weight = await running.weight;
              // The first one migrates the database and fills the file cache.
              if (run > 0) seen[kind].push(weight);
            } finally {
              await running.stop();
            }
          }
        }
        weights.plain.set(app, lightest(seen.plain));
        weights.bundled.set(app, lightest(seen.bundled));
      }
    } finally {
      await identity.stop();
    }
    for (const app of appNames) {
      const [plain, bundled] = [weights.plain.get(app), weights.bundled.get(app)];
      process.stdout.write(`${JSON.stringify({ app, plain, bundled })}\n`);
    }
  });

  afterAll(async () => {
    for (const database of databases.values()) await database.drop();
    await nats.stop();
  });

  it.each(appNames)('%s is ready after at most 0.65 of the CPU time', (app) => {
    const ratio =
      (weights.bundled.get(app)?.cpuMs ?? Infinity) / (weights.plain.get(app)?.cpuMs ?? 0);
    expect(ratio).toBeLessThanOrEqual(0.65);
  });

  it.each(appNames)('%s rests within its memory', (app) => {
    expect(weights.bundled.get(app)?.megabytes).toBeLessThanOrEqual(
      memoryLimits[app] ?? serviceLimit,
    );
  });

  it(`all seven rest within ${totalLimit} MB`, () => {
    const total = [...weights.bundled.values()].reduce((sum, { megabytes }) => sum + megabytes, 0);
    expect(total).toBeLessThanOrEqual(totalLimit);
  });
});
