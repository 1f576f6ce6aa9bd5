import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  freePort,
  type ServiceName,
  startNats,
  startSystem,
  type System,
} from '@mentorhub/local-system';
import { Actor, eventually } from '@mentorhub/testing';
import { Client, Pool } from 'pg';

/** The password of everybody who is signed up here. */
export const benchPassword = 'a password for measuring';

/** The system under test and the reference programs, on the same machine, database server and broker. */
export interface Stack {
  system: System;
  /** Address of an api-gateway, past the edge. */
  api: string;
  /** Address of a chat-gateway, past the edge. */
  chat: string;
  bareHttp: string;
  bareRelay: string;
  database: (service: ServiceName) => Pool;
  stop: () => Promise<void>;
}

async function startReference(
  program: string,
  environment: Record<string, string>,
): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'reference', `${program}.js`), {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(
      `The reference program ${program} ended with code ${code} before it was ready.`,
    );
  });
  await Promise.race([once(child, 'message'), exited]);
  return child;
}

/** Starts everything on free ports, with demo data and without logs below warnings. */
export async function startStack(progress: (line: string) => void): Promise<Stack> {
  const directory = await mkdtemp(join(tmpdir(), 'mentorhub-bench-'));
  const system = await startSystem({
    dataDirectory: join(directory, 'system'),
    demoData: true,
    environment: {
      ...process.env,
      LOG_LEVEL: 'warn',
      LOG_FORMAT: 'json',
      // The limits are rules of their own; here they would only measure themselves.
      WS_MESSAGES_PER_10_SECONDS: '1000000',
      WS_MESSAGE_BURST: '1000000',
    },
    onProgress: progress,
    onLog: (app, _replica, line) => progress(`${app}: ${line}`),
    onCrash: () => progress('An app ended unexpectedly: this run counts for nothing.'),
  });
  if (!system.postgres)
    throw new Error('The benchmark needs its own PostgreSQL; unset DATABASE_URL.');
  const pools = new Map<ServiceName, Pool>();
  const database = (service: ServiceName): Pool => {
    const pool =
      pools.get(service) ?? new Pool({ connectionString: system.databases[service], max: 4 });
    pools.set(service, pool);
    return pool;
  };
  const referenceUrl = await system.postgres.createDatabase('reference');
  const reference = new Client({ connectionString: referenceUrl });
  await reference.connect();
  await reference.query(`
    CREATE TABLE messages (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      sender_id integer NOT NULL,
      recipient_id integer NOT NULL,
      text text NOT NULL,
      sent_at timestamptz NOT NULL DEFAULT now()
    )`);
  await reference.end();
  // A broker of its own: the system's accepts its apps only.
  const nats = await startNats({ directory: join(directory, 'reference-nats') });
  const [httpPort, relayPort] = [await freePort(), await freePort()];
  const api = `http://127.0.0.1:${system.apps('api-gateway')[0]!.port}`;
  const urls = {
    MENTORSHIP_URL: system.databases.mentorship,
    IDENTITY_URL: system.databases.identity,
    REFERENCE_URL: referenceUrl,
    NATS_URL: nats.url,
  };
  const references = [
    await startReference('http', {
      ...urls,
      BENCH_PORT: String(httpPort),
      KEYS_URL: `${api}/.well-known/jwks.json`,
    }),
    await startReference('relay', { ...urls, BENCH_PORT: String(relayPort) }),
  ];
  return {
    system,
    api,
    chat: `ws://127.0.0.1:${system.apps('chat-gateway')[0]!.port}/ws/chat`,
    bareHttp: `http://127.0.0.1:${httpPort}`,
    bareRelay: `ws://127.0.0.1:${relayPort}/`,
    database,
    stop: async () => {
      for (const program of references) program.kill();
      await nats.stop();
      await Promise.all([...pools.values()].map((pool) => pool.end()));
      await system.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Registers `count` users over REST and signs them in. */
export async function signUp(api: string, count: number): Promise<Actor[]> {
  const actors: Actor[] = [];
  const run = Date.now().toString(36);
  for (let begin = 0; begin < count; begin += 4) {
    const group = Array.from({ length: Math.min(4, count - begin) }, async (_, index) => {
      const email = `bench-${run}-${begin + index}@bench.example`;
      const actor = new Actor(api, email);
      await actor.post('/api/v1/auth/register', {
        email,
        password: benchPassword,
        full_name: `Bench ${begin + index}`,
        role: 'student',
      });
      await actor.signIn({ email, password: benchPassword });
      return actor;
    });
    actors.push(...(await Promise.all(group)));
  }
  return actors;
}

/** Verifies everybody's email address as identity would, and waits until the services that require it have stored it. */
export async function verifyAddresses(
  { database }: Pick<Stack, 'database'>,
  people: readonly Actor[],
): Promise<void> {
  const ids = people.map(({ userId }) => userId);
  await database('identity').query(
    `WITH verified AS (
       UPDATE users SET email_verified_at = now() WHERE id = ANY ($1) RETURNING id
     )
     INSERT INTO outbox (event_id, type, subject, aggregate_id, version, payload, occurred_at)
     SELECT gen_random_uuid(), 'identity.user.email_verified', 'event.identity.user.email_verified',
       id::text, 1, jsonb_build_object('user_id', id), now()
     FROM verified`,
    [ids],
  );
  for (const service of ['mentorship', 'chat'] as const) {
    await eventually(`${service} to know the verified addresses`, async () => {
      const { rows } = await database(service).query<{ count: number }>(
        'SELECT count(*)::int AS count FROM people WHERE email_verified AND user_id = ANY ($1)',
        [ids],
      );
      return rows[0]!.count === ids.length ? true : undefined;
    });
  }
}
