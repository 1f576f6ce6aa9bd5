import { Logger } from '@nestjs/common';
import { type CustomTypesConfig, types } from 'pg';
import type { EntitySchema, MigrationInterface } from 'typeorm';
import type { PostgresDataSourceOptions } from 'typeorm/driver/postgres/PostgresDataSourceOptions.js';
import { DatabaseLogger } from './database-logger.js';
import { SnakeNamingStrategy } from './snake-naming-strategy.js';

export type MigrationClass = new () => MigrationInterface;
export type EntityClass = (new () => object) | EntitySchema;

/** The tables of a service: what its `schema.ts` exports. */
export interface DatabaseSchema {
  entities: EntityClass[];
  /** In any order: they run by the time stamp that ends their names. */
  migrations: MigrationClass[];
}

export interface DatabaseSettings extends DatabaseSchema {
  /** `postgres://user:password@host:port/database`. */
  url: string;
  /** The same database past a connection pooler, for work that needs a session of its own; default `url`. */
  directUrl?: string;
  /**
   * The same database past a pooler, by the role that owns its tables: for migrations. The service's own role then has
   * the rows alone. Default: `directUrl`.
   */
  migrationUrl?: string;
  /** Most connections at a time; default 20. */
  poolSize?: number;
  /** What PostgreSQL shows in `pg_stat_activity`; default `mentorhub`. */
  applicationName?: string;
  /**
   * Longest a connection in use may be silent before it is given up, in milliseconds; default 20000. Above
   * `statement_timeout`, which ends what is only slow.
   */
  silenceLimitMs?: number;
}

/** Type ids of PostgreSQL, `pg_type.oid`. */
const oids = { int8: 20, int8Array: 1016, date: 1082 };

/**
 * int8 as a number: identities and counts stay far below 2^53, up to which it is exact. A date as the text
 * `2026-11-25`: a Date would be midnight in the zone of the process, another day elsewhere.
 */
const typeParsers: CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (format !== 'binary') {
      if (oid === oids.int8) return Number;
      if (oid === oids.int8Array) return parseInt8Array;
      if (oid === oids.date) return (text: string) => text;
    }
    return types.getTypeParser(oid, format ?? 'text');
  }) as CustomTypesConfig['getTypeParser'],
};

/** `{1,2,NULL}`; int8 arrays here have one dimension. */
function parseInt8Array(text: string): (number | null)[] {
  if (text === '{}') return [];
  return text
    .slice(1, -1)
    .split(',')
    .map((item) => (item === 'NULL' ? null : Number(item)));
}

/** A peer that vanished while a statement runs is noticed after some 20 s. */
const keepAlive = { keepAlive: true, keepAliveInitialDelayMillis: 10_000 };

/**
 * The TypeORM options of a service.
 *
 * A caller waits at most 3 s for a connection, so that a stalled database answers with errors instead of a queue. The
 * limits of statements and transactions are settings of the role, made by `runMigrations`: a pooler in transaction mode
 * passes none on. Broken idle connections are dropped and replaced; they never end the process. `openDatabase` also ends
 * connections on which the server is silent.
 */
export function dataSourceOptions(settings: DatabaseSettings): PostgresDataSourceOptions {
  const { poolSize = 20 } = settings;
  return {
    ...commonOptions(settings),
    poolSize,
    extra: {
      connectionTimeoutMillis: 3000,
      idleTimeoutMillis: 60_000,
      ...keepAlive,
      types: typeParsers,
    },
  };
}

/**
 * The TypeORM options of migrations and tasks, and of the TypeORM command line: past a pooler, and without limits of
 * time on our side, as changing a large table takes as long as it takes.
 */
export function directDataSourceOptions(settings: DatabaseSettings): PostgresDataSourceOptions {
  return {
    ...commonOptions(settings),
    url: settings.directUrl ?? settings.url,
    poolSize: 2,
    extra: { connectionTimeoutMillis: 10_000, ...keepAlive, types: typeParsers },
  };
}

/** The settings of a service for its migrations: by the role that owns the tables. */
export function migrationSettings<S extends DatabaseSettings>(settings: S): S {
  return { ...settings, directUrl: settings.migrationUrl ?? settings.directUrl };
}

function commonOptions({
  url,
  entities,
  migrations,
  applicationName = 'mentorhub',
}: DatabaseSettings): PostgresDataSourceOptions {
  const logger = new Logger('Database');
  return {
    type: 'postgres',
    url,
    entities,
    migrations,
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    // Extensions are created by migrations, which say which ones and are reviewed.
    installExtensions: false,
    synchronize: false,
    namingStrategy: new SnakeNamingStrategy(),
    logger: new DatabaseLogger(),
    applicationName,
    poolErrorHandler: (error: Error) =>
      logger.warn(`An idle connection was lost and will be replaced: ${error.message}`),
  };
}
