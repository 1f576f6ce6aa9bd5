import { type DynamicModule, Logger, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { dataSourceOptions, type DatabaseSettings } from './data-source-options.js';
import { unavailable } from './database-errors.js';
import { DatabaseHealth } from './database-health.js';
import { openDatabase } from './open-database.js';
import { Idempotency } from './idempotency/idempotency.js';
import { IdempotencyCleaner } from './idempotency/idempotency-cleaner.js';
import { migrationsLeft, runMigrations } from './migrations.js';
import { Transactions } from './transactions.js';

export interface PersistenceOptions extends DatabaseSettings {
  /**
   * Bring the database up to date before anything uses it. Otherwise a database that lacks migrations ends the start
   * with an error that names them. Default false.
   */
  runMigrations?: boolean;
}

/** Updates, with `runMigrations`, and opens the database before any other provider can ask for it. */
async function openService({
  runMigrations: update,
  ...settings
}: PersistenceOptions): Promise<DataSource> {
  if (update) {
    const done = await runMigrations(settings);
    if (done.length > 0) new Logger('Database').log(`Ran ${done.length} migrations.`);
  }
  const dataSource = await openDatabase(settings);
  try {
    const left = await migrationsLeft(dataSource);
    if (left.length > 0) {
      throw new Error(
        `The database lacks ${left.length} migrations (${left.join(', ')}): run migrate.js, or start with RUN_MIGRATIONS=true.`,
      );
    }
    return dataSource;
  } catch (error) {
    await dataSource.destroy();
    throw error;
  }
}

@Module({})
export class PersistenceModule {
  /** Connects the service to its database; the providers are visible in every module. */
  static forRoot(settings: PersistenceOptions): DynamicModule {
    const logger = new Logger('Database');
    return {
      module: PersistenceModule,
      global: true,
      imports: [
        TypeOrmModule.forRootAsync({
          useFactory: () => ({
            ...dataSourceOptions(settings),
            // A database that starts at the same time as the service gets half a minute.
            retryAttempts: 30,
            retryDelay: 1000,
            toRetry: (error: Error) => {
              // A wrong password or a missing migration stays wrong.
              if (!unavailable(error)) return false;
              logger.warn(`The database cannot be reached yet: ${error.message}`);
              return true;
            },
          }),
          dataSourceFactory: () => openService(settings),
        }),
      ],
      providers: [Transactions, Idempotency, IdempotencyCleaner, DatabaseHealth],
      exports: [Transactions, Idempotency, DatabaseHealth, TypeOrmModule],
    };
  }
}
