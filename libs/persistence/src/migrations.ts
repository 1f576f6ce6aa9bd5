import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { type DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import type { DatabaseSettings } from './data-source-options.js';
import { isLockTimeout, isSerializationFailure } from './database-errors.js';
import { withDirectDatabase } from './open-database.js';

/** An advisory lock name that is the same in every replica and differs by purpose. */
export type LockName = 'migrations' | 'demo-data';

const lockKey = `hashtextextended('mentorhub:' || $1, 0)`;
/** How often a replica asks for a lock that another one has. */
const ASK_EVERY_MS = 250;

/** How long a statement of a migration waits for a table: the next statements on the table wait behind it. */
const LOCK_TIMEOUT = '5s';
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** With the pauses, for a quarter of an hour. */
const ATTEMPTS = 30;

export interface MigrationOptions {
  /** As `lock_timeout` of PostgreSQL; default `5s`. */
  lockTimeout?: string;
}

/** Settings that every session of the service gets from its role, even through a pooler. */
const roleSettings = {
  statement_timeout: '15s',
  // Ends a transaction whose owner hangs, so that its locks do not hang the others.
  idle_in_transaction_session_timeout: '30s',
};

/**
 * Runs `work` under a lock that one process at a time can take for a database; the others wait their turn,
 * however long it takes. Statements on the given connection have no time limit.
 * @param dataSource of `withDirectDatabase`, as the lock belongs to the session
 */
export async function withAdvisoryLock<T>(
  dataSource: DataSource,
  name: LockName,
  work: (connection: QueryRunner) => Promise<T>,
): Promise<T> {
  const connection = dataSource.createQueryRunner();
  try {
    await connection.query('SET statement_timeout = 0');
    await connection.query('SET idle_in_transaction_session_timeout = 0');
    // A statement that waits for the lock would keep a snapshot, which CREATE INDEX CONCURRENTLY waits for in turn.
    while (!(await tryLock(connection, name))) await delay(ASK_EVERY_MS);
    try {
      return await work(connection);
    } finally {
      await connection.query(`SELECT pg_advisory_unlock(${lockKey})`, [name]);
    }
  } finally {
    await connection.release();
  }
}

async function tryLock(connection: QueryRunner, name: LockName): Promise<boolean> {
  const rows: { mine: boolean }[] = await connection.query(
    `SELECT pg_try_advisory_lock(${lockKey}) AS mine`,
    [name],
  );
  return rows[0]?.mine === true;
}

/**
 * Runs the migrations that the database lacks, each in its own transaction, on a connection of their own without limits
 * of time. Replicas may call it at the same time: one works, the others wait and find nothing left. A statement that does
 * not get its table within 5 s gives way to those behind it, and its migration is tried again after a growing pause.
 * @returns the names of what ran
 */
export function runMigrations(
  settings: DatabaseSettings,
  { lockTimeout = LOCK_TIMEOUT }: MigrationOptions = {},
): Promise<string[]> {
  return withDirectDatabase(settings, (dataSource) =>
    withAdvisoryLock(dataSource, 'migrations', async (connection) => {
      await connection.query(`SELECT set_config('lock_timeout', $1, false)`, [lockTimeout]);
      await setUpRole(connection);
      const left = await migrationsLeft(dataSource);
      await retryWhileLocked(async () => {
        const executor = new MigrationExecutor(dataSource, connection);
        executor.transaction = 'each';
        await executor.executePendingMigrations();
      });
      return left;
    }),
  );
}

async function retryWhileLocked(work: () => Promise<void>): Promise<void> {
  const logger = new Logger('Database');
  for (let attempt = 1; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      const passes = isLockTimeout(error) || isSerializationFailure(error);
      if (!passes || attempt === ATTEMPTS) throw error;
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS);
      logger.warn(
        `A migration needs a table that others use, attempt ${attempt} of ${ATTEMPTS}; again in ${pauseMs} ms.`,
      );
      await delay(pauseMs);
    }
  }
}

/** Takes effect in new sessions. A role may change its own settings. */
async function setUpRole(connection: QueryRunner): Promise<void> {
  const [database]: { name: string; present: string[] }[] = await connection.query(
    `SELECT quote_ident(datname) AS name, coalesce(setconfig, '{}') AS present FROM pg_database
     LEFT JOIN pg_db_role_setting ON setdatabase = pg_database.oid
       AND setrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
     WHERE datname = current_database()`,
  );
  for (const [name, value] of Object.entries(roleSettings)) {
    if (!database || database.present.includes(`${name}=${value}`)) continue;
    await connection.query(
      `ALTER ROLE CURRENT_USER IN DATABASE ${database.name} SET ${name} = '${value}'`,
    );
  }
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
