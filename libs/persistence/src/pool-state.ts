import type { DataSource } from 'typeorm';

export interface PoolState {
  /** Open connections. */
  total: number;
  /** Open connections that nobody uses. */
  idle: number;
  /** Callers that wait for a connection. */
  waiting: number;
}

interface PgPool {
  totalCount: number;
  idleCount: number;
  waitingCount: number;
}

function isPgPool(value: unknown): value is PgPool {
  return typeof value === 'object' && value !== null && 'waitingCount' in value;
}

/** How busy the pool of a data source is; zeros while it is closed. */
export function poolState(dataSource: DataSource): PoolState {
  const pool: unknown = 'master' in dataSource.driver ? dataSource.driver.master : undefined;
  if (!isPgPool(pool)) return { total: 0, idle: 0, waiting: 0 };
  return { total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount };
}
