import type { DatabaseSchema } from '@mentorhub/persistence';
import type { ServiceConfig } from '../config/common-variables.js';
import { databaseSettings } from '../config/settings.js';
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
    const { runMigrations } = await import('@mentorhub/persistence');
    const done = await runMigrations({
      ...schema,
      ...databaseSettings(read),
      applicationName: `${name} migrate`,
    });
    logger.log(
      done.length === 0 ? 'The database is up to date.' : `Ran ${done.length} migrations.`,
    );
  });
}
