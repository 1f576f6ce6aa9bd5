import type { DatabaseSchema } from '@mentorhub/persistence';
import type { ServiceConfig } from '../config/common-variables.js';
import { runTask } from './run-task.js';

export interface MigrateOptions {
  name: string;
  /** `() => readConfig(process.env)`. */
  config: () => ServiceConfig;
  schema: DatabaseSchema;
}

/** An app's `migrate.ts`: brings its database up to date and exits, 0 when it is, else 1. */
export function migrateAndExit({ name, config, schema }: MigrateOptions): Promise<void> {
  return runTask(name, config, async (read, logger) => {
    const { openDatabase, runMigrations } = await import('@mentorhub/persistence');
    const dataSource = await openDatabase({
      ...schema,
      url: read.DATABASE_URL,
      poolSize: 2,
      applicationName: `${name} migrate`,
    });
    try {
      const done = await runMigrations(dataSource);
      logger.log(
        done.length === 0 ? 'The database is up to date.' : `Ran ${done.length} migrations.`,
      );
    } finally {
      await dataSource.destroy();
    }
  });
}
