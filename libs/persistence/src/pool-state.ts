import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';

export interface PoolState {
  /** Open connections. */
  total: number;
  /** Open connections that nobody uses. */
  idle: number;
  /** Callers that wait for a connection. */
  waiting: number;
}

/** The pool behind a data source. @throws when its driver is not that of PostgreSQL, or it is closed */
export function poolOf({ driver }: DataSource): Pool {
  const pool: unknown = 'master' in driver ? driver.master : undefined;
  if (!isPgPool(pool)) throw new Error('The data source has no pool of PostgreSQL connections.');
  return pool;
}

function isPgPool(value: unknown): value is Pool {
  return typeof value === 'object' && value !== null && 'waitingCount' in value;
}

/** How busy the pool of a data source is; zeros while it is closed. */
export function poolState(dataSource: DataSource): PoolState {
  const pool: unknown = 'master' in dataSource.driver ? dataSource.driver.master : undefined;
  if (!isPgPool(pool)) return { total: 0, idle: 0, waiting: 0 };
  return { total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount };
}
