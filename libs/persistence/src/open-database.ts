import { DataSource } from 'typeorm';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import { ConnectionGuard } from './connection-guard.js';
import {
  dataSourceOptions,
  type DatabaseSettings,
  directDataSourceOptions,
} from './data-source-options.js';
import { encryptionProblem } from './encryption-problem.js';
import { poolOf } from './pool-state.js';

const DEFAULT_SILENCE_LIMIT_MS = 20_000;

/** Data sources whose connections lead through a pooler. */
const pooled = new WeakSet<DataSource>();
const guards = new WeakMap<DataSource, ConnectionGuard>();

/** Connects to a database for the life of a service or a test. The caller destroys the data source. */
export async function openDatabase(settings: DatabaseSettings): Promise<DataSource> {
  const dataSource = await connect(dataSourceOptions(settings));
  const limitMs = settings.silenceLimitMs ?? DEFAULT_SILENCE_LIMIT_MS;
  if (settings.directUrl !== undefined && settings.directUrl !== settings.url) {
    pooled.add(dataSource);
  }
  guards.set(dataSource, new ConnectionGuard(poolOf(dataSource), limitMs));
  return dataSource;
}

/** @throws what the driver throws; what is wrong with the encryption is said with the server and the remedy */
async function connect(options: PostgresDataSourceOptions): Promise<DataSource> {
  try {
    return await new DataSource(options).initialize();
  } catch (error) {
    throw encryptionProblem(error, options.url ?? '') ?? error;
  }
}

/** Whether a pooler may give each transaction of a data source another session. */
export function isPooled(dataSource: DataSource): boolean {
  return pooled.has(dataSource);
}

/** What ends the silent connections of a data source made by `openDatabase`. */
export function guardOf(dataSource: DataSource): ConnectionGuard | undefined {
  return guards.get(dataSource);
}

/**
 * Runs `work` on a data source of its own, which bypasses a pooler and has no limits of time, and closes it: for
 * migrations and tasks.
 */
export async function withDirectDatabase<T>(
  settings: DatabaseSettings,
  work: (dataSource: DataSource) => Promise<T>,
): Promise<T> {
  const dataSource = await connect(directDataSourceOptions(settings));
  try {
    return await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}
