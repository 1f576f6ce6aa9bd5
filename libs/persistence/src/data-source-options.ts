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
  /** Most connections at a time; default 20. */
  poolSize?: number;
  /** What PostgreSQL shows in `pg_stat_activity`; default `mentorhub`. */
  applicationName?: string;
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

/**
 * The one set of TypeORM options, for the service and for the TypeORM command line.
 *
 * A caller waits at most 3 s for a connection and 15 s for a statement, so that a stalled database answers with errors
 * instead of a queue. Broken idle connections are dropped and replaced; they never end the process.
 */
export function dataSourceOptions({
  url,
  entities,
  migrations,
  poolSize = 20,
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
    poolSize,
    applicationName,
    poolErrorHandler: (error: Error) =>
      logger.warn(`An idle connection was lost and will be replaced: ${error.message}`),
    extra: {
      connectionTimeoutMillis: 3000,
      idleTimeoutMillis: 60_000,
      keepAlive: true,
      statement_timeout: 15_000,
      // Ends a transaction whose owner hangs, so that its locks do not hang the others.
      idle_in_transaction_session_timeout: 30_000,
      // Catches a server that vanished without closing the connection; above statement_timeout, which is the rule.
      query_timeout: 20_000,
      types: typeParsers,
    },
  };
}
