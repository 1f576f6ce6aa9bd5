import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { type DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import { type DatabaseSettings, migrationSettings } from './data-source-options.js';
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
 *
 * With `migrationUrl`, its role makes and owns the tables, and the role of the service is given their rows.
 * @returns the names of what ran
 */
export function runMigrations(
  settings: DatabaseSettings,
  { lockTimeout = LOCK_TIMEOUT }: MigrationOptions = {},
): Promise<string[]> {
  return withDirectDatabase(migrationSettings(settings), (dataSource) =>
    withAdvisoryLock(dataSource, 'migrations', async (connection) => {
      await connection.query(`SELECT set_config('lock_timeout', $1, false)`, [lockTimeout]);
      const role = await setUpService(settings, connection);
      if (role !== undefined) await grantFutureRows(connection, role);
      const left = await migrationsLeft(dataSource);
      await retryWhileLocked(async () => {
        const executor = new MigrationExecutor(dataSource, connection);
        executor.transaction = 'each';
        await executor.executePendingMigrations();
      });
      if (role !== undefined) await grantRows(connection, role);
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

/**
 * Sets up the role of the service.
 * @param connection of the migrations, which has their lock
 * @returns the role, unless it is the one that migrates
 */
async function setUpService(
  settings: DatabaseSettings,
  connection: QueryRunner,
): Promise<string | undefined> {
  if (settings.migrationUrl === undefined) {
    await setUpRole(connection);
    return undefined;
  }
  // A role may set up only itself.
  return withDirectDatabase(settings, async (dataSource) => {
    const own = dataSource.createQueryRunner();
    try {
      // The lock is that of one database.
      if (await tryLock(own, 'migrations')) {
        throw new Error(
          'The addresses for migrations and for the service lead to different databases: correct MIGRATION_DATABASE_URL.',
        );
      }
      await setUpRole(own);
      const role = await currentRole(own);
      return role === (await currentRole(connection)) ? undefined : role;
    } finally {
      await own.release();
    }
  });
}

async function currentRole(connection: QueryRunner): Promise<string> {
  const [row]: { role: string }[] = await connection.query('SELECT current_user AS role');
  return row?.role ?? '';
}

const rowRights = 'SELECT, INSERT, UPDATE, DELETE';
const sequenceRights = 'USAGE, SELECT, UPDATE';

/** Gives a role the rows of the tables that the migrations will make, from their first moment on. */
async function grantFutureRows(connection: QueryRunner, role: string): Promise<void> {
  await runEach(
    connection,
    `SELECT format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), $1::text) AS statement
     WHERE NOT has_schema_privilege($1, current_schema(), 'USAGE')
     UNION ALL
     SELECT format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT %s TO %I', current_schema(), rights, $1::text)
     FROM unnest(ARRAY['${rowRights} ON TABLES', '${sequenceRights} ON SEQUENCES']) AS rights`,
    role,
  );
}

/**
 * Gives a role the rows of tables that are older than its default privileges. A table in which it has any right keeps its
 * rights as they are, so that a migration can withhold some. The list of migrations is for their owner to write.
 */
async function grantRows(connection: QueryRunner, role: string): Promise<void> {
  await runEach(
    connection,
    `SELECT format(
       CASE relkind WHEN 'S' THEN 'GRANT ${sequenceRights} ON SEQUENCE %s TO %I' ELSE 'GRANT ${rowRights} ON %s TO %I' END,
       oid::regclass, $1::text) AS statement
     FROM pg_class
     WHERE relnamespace = to_regnamespace(quote_ident(current_schema()))
       AND CASE
         WHEN relkind = 'S' THEN NOT has_sequence_privilege($1, oid, '${sequenceRights}')
         WHEN relkind IN ('r', 'p', 'v', 'm') THEN NOT has_table_privilege($1, oid, '${rowRights}')
         ELSE false END`,
    role,
  );
  await runEach(
    connection,
    `SELECT format('REVOKE INSERT, UPDATE, DELETE ON migrations FROM %I', $1::text) AS statement
     WHERE has_table_privilege($1, 'migrations', 'INSERT, UPDATE, DELETE')`,
    role,
  );
}

/** Runs the statements that a query makes for a role. */
async function runEach(connection: QueryRunner, query: string, role: string): Promise<void> {
  const rows: { statement: string }[] = await connection.query(query, [role]);
  for (const { statement } of rows) await connection.query(statement);
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
