import type { ContractingMigration } from '@mentorhub/persistence';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { readCatalog } from './catalog.js';
import { findings, type Finding, type Step } from './rules.js';

export interface InspectOptions {
  /** Names of migrations that are run without being looked at. */
  readonly baseline?: Iterable<string>;
  /** The versions that were released: a mark names one of them. */
  readonly releases?: Iterable<string>;
}

/**
 * Runs migrations in an empty database, as a service does, and looks at what each changes in PostgreSQL's catalogs: so
 * nothing depends on how a statement is written.
 * @param dataSource of a database that may be thrown away
 * @returns what the processes of the release before could not work with, or what would keep them waiting
 */
export async function inspectMigrations(
  dataSource: DataSource,
  { baseline = [], releases = [] }: InspectOptions = {},
): Promise<Finding[]> {
  const known = new Set(baseline);
  const released = new Set(releases);
  const found: Finding[] = [];
  const runner = dataSource.createQueryRunner();
  try {
    for (const migration of inOrder(dataSource.migrations)) {
      if (known.has(nameOf(migration))) await run(migration, runner);
      else found.push(...(await inspect(migration, runner, released)));
    }
    return found;
  } finally {
    await runner.release();
  }
}

/** The name that TypeORM stores. */
export function nameOf(migration: MigrationInterface): string {
  return migration.name ?? migration.constructor.name;
}

/** The time stamp that ends a name. */
function stampOf(migration: MigrationInterface): number {
  return Number(nameOf(migration).slice(-13));
}

/** As TypeORM runs them. */
function inOrder(migrations: readonly MigrationInterface[]): MigrationInterface[] {
  return migrations.toSorted((one, other) => stampOf(one) - stampOf(other));
}

async function run(migration: MigrationInterface, runner: QueryRunner): Promise<void> {
  const inTransaction = migration.transaction ?? true;
  if (inTransaction) await runner.startTransaction();
  try {
    await migration.up(runner);
    if (inTransaction) await runner.commitTransaction();
  } catch (error) {
    if (runner.isTransactionActive) await runner.rollbackTransaction();
    throw error;
  }
}

async function inspect(
  migration: MigrationInterface,
  runner: QueryRunner,
  releases: ReadonlySet<string>,
): Promise<Finding[]> {
  const query = runner.query.bind(runner);
  const read = () => readCatalog(query);
  const { catalog: before } = await read();
  const steps: Step[] = [];
  let committed = before;
  let statements: string[] = [];
  const observe = async (): Promise<void> => {
    if (runner.isTransactionActive) return;
    const { catalog, inTransaction } = await read();
    if (inTransaction) return;
    steps.push({ before: committed, after: catalog, statements });
    committed = catalog;
    statements = [];
  };
  const observed = async (...parameters: Parameters<QueryRunner['query']>): Promise<unknown> => {
    const result: unknown = await query(...parameters);
    statements.push(parameters[0]);
    await observe();
    return result;
  };
  runner.query = observed as QueryRunner['query'];
  try {
    await run(migration, runner);
    await observe();
  } finally {
    runner.query = query;
  }
  const { contraction } = migration as Partial<ContractingMigration>;
  return findings({ migration: nameOf(migration), before, steps, contraction, releases });
}
