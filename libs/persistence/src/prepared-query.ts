import type { Pool, QueryConfig } from 'pg';
import { DataSource, type EntityManager } from 'typeorm';
import { isPooled } from './open-database.js';
import { poolOf } from './pool-state.js';

type Statement = Required<Pick<QueryConfig, 'name' | 'text' | 'values'>>;

/**
 * Runs a statement that each connection parses once and then knows by its name: in a transaction, or on a connection
 * of the pool. For the few statements that run all the time and take longer to plan than to run; TypeORM has no way
 * to name a statement. Behind a pooler it has no name: in another session, nobody knows it.
 */
export async function preparedQuery<Row extends object>(
  where: DataSource | EntityManager,
  statement: Statement,
): Promise<Row[]> {
  const dataSource = where instanceof DataSource ? where : where.dataSource;
  const client = where instanceof DataSource ? poolOf(where) : await clientOf(where);
  const { name, ...unnamed } = statement;
  const { rows } = await client.query<Row>(isPooled(dataSource) ? unnamed : { name, ...unnamed });
  return rows;
}

async function clientOf({ queryRunner }: EntityManager): Promise<Pick<Pool, 'query'>> {
  if (!queryRunner) throw new Error('Outside of a transaction, give the data source.');
  return (await queryRunner.connect()) as Pick<Pool, 'query'>;
}
