import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Postgres,
  postgresBinaries,
  removeAfterwards,
  startPostgres,
  temporaryBase,
} from '@mentorhub/local-system';
import type { TestProject } from 'vitest/node';
import { type PgBouncer, startPgBouncer } from './pgbouncer.js';

/**
 * One cluster for the whole vitest process. Every project names this file, so that each works when
 * run alone; the first one starts the cluster and the last one to finish stops it. Vitest loads the
 * file once per project, hence the place they share.
 */
interface Shared {
  users: number;
  cluster: Promise<Cluster>;
}

interface Cluster {
  postgres: Postgres;
  pgbouncer: PgBouncer | undefined;
}

const key = Symbol.for('mentorhub.test-postgres');
const place = globalThis as { [key]?: Shared };

/** Vitest's global setup: starts PostgreSQL and gives the test files its address. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const shared = (place[key] ??= { users: 0, cluster: startCluster() });
  shared.users += 1;
  const { postgres, pgbouncer } = await shared.cluster;
  project.provide('postgresUrl', postgres.url);
  project.provide('pooledPostgresUrl', pgbouncer?.url ?? postgres.url);
  return async () => {
    shared.users -= 1;
    if (shared.users > 0) return;
    delete place[key];
    await pgbouncer?.stop();
    await postgres.stop();
  };
}

/** With the path of a pgbouncer in TEST_PGBOUNCER, services reach their databases through it. */
async function startCluster(): Promise<Cluster> {
  const { runAs } = await postgresBinaries();
  const directory = await mkdtemp(join(temporaryBase(runAs), 'mentorhub-test-postgres-'));
  removeAfterwards(directory);
  const postgres = await startPostgres({ directory, persistent: false });
  const command = process.env['TEST_PGBOUNCER'];
  const pgbouncer = command ? await startPgBouncer(command, postgres.url) : undefined;
  return { postgres, pgbouncer };
}
