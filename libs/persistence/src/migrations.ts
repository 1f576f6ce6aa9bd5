import { type DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';

/** An advisory lock name that is the same in every replica and differs by purpose. */
export type LockName = 'migrations' | 'demo-data';

const lockKey = `hashtextextended('mentorhub:' || $1, 0)`;

/**
 * Runs `work` while holding a lock that one process at a time can hold for a database; the others wait their turn.
 * Statements on the given connection have no time limit.
 */
export async function withAdvisoryLock<T>(
  dataSource: DataSource,
  name: LockName,
  work: (connection: QueryRunner) => Promise<T>,
): Promise<T> {
  const connection = dataSource.createQueryRunner();
  try {
    await connection.query('SET statement_timeout = 0');
    await connection.query(`SELECT pg_advisory_lock(${lockKey})`, [name]);
    try {
      return await work(connection);
    } finally {
      await connection.query(`SELECT pg_advisory_unlock(${lockKey})`, [name]);
      await connection.query('RESET statement_timeout');
    }
  } finally {
    await connection.release();
  }
}

/**
 * Runs the migrations that the database lacks, each in its own transaction. Replicas may call it at the same time: one
 * works, the others wait and find nothing left. Resolves to the names of what ran.
 */
export function runMigrations(dataSource: DataSource): Promise<string[]> {
  return withAdvisoryLock(dataSource, 'migrations', async (connection) => {
    const executor = new MigrationExecutor(dataSource, connection);
    executor.transaction = 'each';
    return (await executor.executePendingMigrations()).map(({ name }) => name);
  });
}

/** Names of the migrations that the database lacks. Changes nothing. */
export async function migrationsLeft(dataSource: DataSource): Promise<string[]> {
  const [row] = await dataSource.query<{ exists: boolean }[]>(
    `SELECT to_regclass('migrations') IS NOT NULL AS exists`,
  );
  const done = new Set(
    row?.exists
      ? (await dataSource.query<{ name: string }[]>('SELECT name FROM migrations')).map(
          ({ name }) => name,
        )
      : [],
  );
  return dataSource.migrations
    .map((migration) => migration.name ?? migration.constructor.name)
    .filter((name) => !done.has(name));
}
