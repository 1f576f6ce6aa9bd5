import type { Pool, QueryConfig } from 'pg';
import type { DataSource } from 'typeorm';

/**
 * Runs a statement outside of transactions that each connection parses once and then knows by its name. For the few
 * statements that are asked for all the time: parsing and planning the details of a mentor costs more than running
 * them, and TypeORM has no way to name a statement.
 */
export async function preparedQuery<Row extends object>(
  { driver }: DataSource,
  statement: Required<Pick<QueryConfig, 'name' | 'text' | 'values'>>,
): Promise<Row[]> {
  if (!('master' in driver)) throw new Error('Prepared statements need the PostgreSQL driver.');
  const { rows } = await (driver.master as Pool).query<Row>(statement);
  return rows;
}
