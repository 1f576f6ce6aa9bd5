import { setTimeout as delay } from 'node:timers/promises';
import type { DatabaseSchema } from '@mentorhub/persistence';
import type { EntityManager } from 'typeorm';
import type { ServiceConfig } from '../config/common-variables.js';
import { databaseSettings } from '../config/settings.js';
import { ConfigurationError } from '../config/read-environment.js';
import { runTask } from './run-task.js';

const migrationsLimitMs = 60_000;

export interface DemoDataOptions<C extends ServiceConfig> {
  name: string;
  /** `() => readConfig(process.env)`. */
  config: () => C;
  schema: DatabaseSchema;
  /** Writes the demo data unless it is there; resolves to what the runner shows, as JSON. */
  seed: (tx: EntityManager, config: C) => Promise<Record<string, unknown>>;
}

/** The password of the demo accounts is public. @throws ConfigurationError outside of the local profile */
function localOnly<C extends ServiceConfig>(config: C): C {
  if (config.PROFILE === 'local') return config;
  throw new ConfigurationError([
    `PROFILE must be local, not “${config.PROFILE}”: demo data brings accounts whose password everybody knows.`,
  ]);
}

/**
 * An app's `demo-data.ts`, in the local profile only: waits up to a minute for the migrations, runs the seed in one
 * transaction, one process at a time, and prints what it resolves to as one line of JSON on the standard output.
 */
export function demoDataMain<C extends ServiceConfig>({
  name,
  config,
  schema,
  seed,
}: DemoDataOptions<C>): Promise<void> {
  return runTask(
    name,
    () => localOnly(config()),
    async (read) => {
      const { migrationsLeft, withAdvisoryLock, withDirectDatabase } =
        await import('@mentorhub/persistence');
      const settings = {
        ...schema,
        ...databaseSettings(read),
        applicationName: `${name} demo-data`,
      };
      await withDirectDatabase(settings, async (dataSource) => {
        const deadline = Date.now() + migrationsLimitMs;
        for (;;) {
          const left = await migrationsLeft(dataSource);
          if (left.length === 0) break;
          if (Date.now() > deadline) {
            throw new Error(`The database lacks ${left.join(', ')}: run migrate.js first.`);
          }
          await delay(250);
        }
        const result = await withAdvisoryLock(dataSource, 'demo-data', (connection) =>
          connection.manager.transaction((tx) => seed(tx, read)),
        );
        await print(`${JSON.stringify(result)}\n`);
      });
    },
  );
}

/** Resolves once the text is written: a pipe takes a long one in parts, and the process exits right afterwards. */
function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
