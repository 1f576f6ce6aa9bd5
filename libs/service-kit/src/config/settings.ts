import { type AppConfig, type ServiceConfig, serviceDrainMs } from './common-variables.js';

/** How to connect to NATS: the `connection` of `MessagingModule.forRoot`. */
export function natsConnection(
  config: Pick<
    AppConfig,
    'NATS_URL' | 'NATS_CA_FILE' | 'NATS_USER' | 'NATS_PASSWORD' | 'NATS_NKEY_SEED'
  >,
): { servers: string[]; user?: string; pass?: string; nkeySeed?: string; caFile?: string } {
  return {
    servers: config.NATS_URL.split(',').map((server) => server.trim()),
    user: config.NATS_USER,
    pass: config.NATS_PASSWORD,
    nkeySeed: config.NATS_NKEY_SEED,
    caFile: config.NATS_CA_FILE,
  };
}

/** How to connect to the database: goes into `PersistenceModule.forRoot` beside the schema. */
export function databaseSettings(
  config: Pick<
    ServiceConfig,
    | 'DATABASE_URL'
    | 'DATABASE_DIRECT_URL'
    | 'MIGRATION_DATABASE_URL'
    | 'DATABASE_POOL_SIZE'
    | 'RUN_MIGRATIONS'
  >,
): {
  url: string;
  directUrl: string;
  migrationUrl?: string;
  poolSize: number;
  runMigrations: boolean;
} {
  return {
    url: config.DATABASE_URL,
    directUrl: config.DATABASE_DIRECT_URL ?? config.DATABASE_URL,
    migrationUrl: config.MIGRATION_DATABASE_URL,
    poolSize: config.DATABASE_POOL_SIZE,
    runMigrations: config.RUN_MIGRATIONS,
  };
}

/** What the configuration says about events: goes into `ServiceMessagingModule.forRoot`. */
export function eventSettings(
  config: Pick<ServiceConfig, 'DATABASE_URL' | 'DATABASE_DIRECT_URL' | 'DEAD_LETTER_DAYS'>,
): { deadLetterDays: number; directDatabaseUrl: string; drainTimeoutMs: number } {
  return {
    deadLetterDays: config.DEAD_LETTER_DAYS,
    directDatabaseUrl: config.DATABASE_DIRECT_URL ?? config.DATABASE_URL,
    drainTimeoutMs: serviceDrainMs,
  };
}
