export type { ContractingMigration, Contraction } from './contraction.js';
export { SnakeNamingStrategy } from './snake-naming-strategy.js';
export {
  dataSourceOptions,
  directDataSourceOptions,
  type DatabaseSettings,
  type DatabaseSchema,
  type MigrationClass,
  migrationSettings,
} from './data-source-options.js';
export {
  classifyDatabaseError,
  isCheckViolation,
  isExclusionViolation,
  isLockTimeout,
  isSerializationFailure,
  isUniqueViolation,
  unavailable,
} from './database-errors.js';
export { DatabaseHealth } from './database-health.js';
export {
  type MigrationOptions,
  migrationsLeft,
  runMigrations,
  withAdvisoryLock,
} from './migrations.js';
export { openDatabase, withDirectDatabase } from './open-database.js';
export { PersistenceModule, type PersistenceOptions } from './persistence.module.js';
export { Periodic, type PeriodicWork } from './periodic.js';
export { collectPersonalData, type PersonalDataSource, rowsByKey } from './personal-data.js';
export { poolState, type PoolState } from './pool-state.js';
export { preparedQuery } from './prepared-query.js';
export { Transactions } from './transactions.js';
export { Idempotency, type IdempotentRequest } from './idempotency/idempotency.js';
export { idempotencyMigrations } from './idempotency/idempotency.migrations.js';
