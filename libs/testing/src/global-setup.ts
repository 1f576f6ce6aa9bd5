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

/**
 * One cluster for the whole vitest process. Every project names this file, so that each works when
 * run alone; the first one starts the cluster and the last one to finish stops it. Vitest loads the
 * file once per project, hence the place they share.
 */
interface Shared {
  users: number;
  cluster: Promise<Postgres>;
}

const key = Symbol.for('mentorhub.test-postgres');
const place = globalThis as { [key]?: Shared };

/** Vitest's global setup: starts PostgreSQL and tells the test files where it is. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const shared = (place[key] ??= { users: 0, cluster: startCluster() });
  shared.users += 1;
  project.provide('postgresUrl', (await shared.cluster).url);
  return async () => {
    shared.users -= 1;
    if (shared.users > 0) return;
    delete place[key];
    const cluster = await shared.cluster;
    await cluster.stop();
  };
}

async function startCluster(): Promise<Postgres> {
  const { runAs } = await postgresBinaries();
  const directory = await mkdtemp(join(temporaryBase(runAs), 'mentorhub-test-postgres-'));
  removeAfterwards(directory);
  return startPostgres({ directory, persistent: false });
}
