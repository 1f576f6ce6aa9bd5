import { DataSource } from 'typeorm';
import {
  dataSourceOptions,
  type DatabaseSettings,
  directDataSourceOptions,
} from './data-source-options.js';

/** Connects to a database for the life of a service or a test. The caller destroys the data source. */
export function openDatabase(settings: DatabaseSettings): Promise<DataSource> {
  return new DataSource(dataSourceOptions(settings)).initialize();
}

/**
 * Runs `work` on a data source of its own, which bypasses a pooler and has no limits of time, and closes it: for
 * migrations and tasks.
 */
export async function withDirectDatabase<T>(
  settings: DatabaseSettings,
  work: (dataSource: DataSource) => Promise<T>,
): Promise<T> {
  const dataSource = await new DataSource(directDataSourceOptions(settings)).initialize();
  try {
    return await work(dataSource);
  } finally {
    await dataSource.destroy();
  }
}
