import { type DatabaseHealth, type PoolState, poolState } from '@mentorhub/persistence';
import { Gauge, register } from 'prom-client';
import type { DataSource } from 'typeorm';

const dataSources = new Set<DataSource>();

const gauges = {
  db_pool_total: ['Open database connections.', 'total'],
  db_pool_idle: ['Open database connections that nobody uses.', 'idle'],
  db_pool_waiting: ['Callers that wait for a database connection.', 'waiting'],
} as const;

function gauge(name: string, help: string, key: keyof PoolState): Gauge {
  return new Gauge({
    name,
    help,
    registers: [],
    collect() {
      let sum = 0;
      for (const source of dataSources) sum += poolState(source)[key];
      this.set(sum);
    },
  });
}

const databases = new Set<DatabaseHealth>();

const databaseUp = () =>
  new Gauge({
    name: 'db_up',
    help: 'Whether the database answered when it was last asked, at most some seconds ago.',
    registers: [],
    collect() {
      this.set([...databases].every(({ answers }) => answers) ? 1 : 0);
    },
  });

/** Reports whether the database answers, until the returned function is called. */
export function observeDatabase(database: DatabaseHealth): () => void {
  databases.add(database);
  if (!register.getSingleMetric('db_up')) register.registerMetric(databaseUp());
  return () => databases.delete(database);
}

/** Reports how busy a pool is, until the returned function is called. */
export function observePool(dataSource: DataSource): () => void {
  dataSources.add(dataSource);
  for (const [name, [help, key]] of Object.entries(gauges)) {
    if (!register.getSingleMetric(name)) register.registerMetric(gauge(name, help, key));
  }
  return () => dataSources.delete(dataSource);
}
