import 'reflect-metadata';
import {
  type DynamicModule,
  type INestApplicationContext,
  type INestMicroservice,
  type LogLevel,
  Module,
  type Type,
} from '@nestjs/common';
import { eventually } from '@mentorhub/testing';
import type { NatsConnection } from '@nats-io/transport-node';
import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import { DataSource } from 'typeorm';
import {
  messagingMigrations,
  MessagingModule,
  NATS_CONNECTION,
  RequestClient,
  type ServiceMessagingOptions,
  ServiceTransport,
  ServiceMessagingModule,
} from '../src/index.js';
import type { NatsConnectionSettings } from '../src/messaging.options.js';

/** `TEST_LOG=1` shows what the apps log. */
const logger: LogLevel[] | false = process.env.TEST_LOG ? ['log', 'warn', 'error'] : false;

@Module({})
class DatabaseModule {
  static forRoot(url: string, directUrl: string): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      providers: [{ provide: DataSource, useFactory: () => openDatabase(directUrl, url) }],
      exports: [DataSource],
    };
  }
}

/**
 * A migrated database with what the tests write their effects to.
 * @param directUrl for the migrations, which need a session
 * @param url for everything else
 */
export async function openDatabase(directUrl: string, url = directUrl): Promise<DataSource> {
  const migrating = await connect(directUrl);
  // Replicas may open the database at the same time. A statement that waits would hold up CREATE INDEX CONCURRENTLY.
  const lock = migrating.createQueryRunner();
  await eventually('the lock of the migrations', async () => {
    const [row]: { mine: boolean }[] = await lock.query('SELECT pg_try_advisory_lock(1) AS mine');
    return row?.mine === true ? row : undefined;
  });
  await migrating.runMigrations({ transaction: 'each' });
  await migrating.query(
    'CREATE TABLE IF NOT EXISTS effects (id serial PRIMARY KEY, event_id uuid, handler text, data jsonb)',
  );
  await lock.query('SELECT pg_advisory_unlock_all()');
  await lock.release();
  if (url === directUrl) return migrating;
  await migrating.destroy();
  return await connect(url);
}

function connect(url: string): Promise<DataSource> {
  return new DataSource({
    type: 'postgres',
    url,
    migrations: messagingMigrations,
    poolSize: 10,
    poolErrorHandler: () => undefined,
  }).initialize();
}

export interface Fixture {
  app: INestMicroservice;
  database: DataSource;
  client: RequestClient;
  close(): Promise<void>;
}

/** Who an app is for NATS, and whom it trusts. */
export type NatsIdentity = Omit<NatsConnectionSettings, 'servers'>;

export interface FixtureSettings {
  databaseUrl: string;
  /** Past a pooler; default `databaseUrl`. */
  directUrl?: string;
  natsUrl: string | string[];
  service?: string;
  controllers?: Type[];
  user?: NatsIdentity;
  options?: ServiceMessagingOptions;
}

/** Starts a service as service-kit does, with short waits. */
export async function startService(settings: FixtureSettings): Promise<Fixture> {
  const {
    databaseUrl,
    directUrl = databaseUrl,
    natsUrl,
    service = 'mentorship',
    controllers = [],
    options,
    user,
  } = settings;

  @Module({
    imports: [
      DatabaseModule.forRoot(databaseUrl, directUrl),
      MessagingModule.forRoot({ service, connection: { servers: natsUrl, ...user } }),
      ServiceMessagingModule.forRoot({
        directDatabaseUrl: directUrl,
        pollIntervalMs: 200,
        ackWaitMs: 1500,
        retryDelaysMs: [50, 50, 50],
        ...options,
      }),
    ],
    controllers,
  })
  class FixtureModule {}

  const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(FixtureModule, {
    inject: [ServiceTransport],
    useFactory: (strategy: ServiceTransport) => ({ strategy }),
    logger,
  });
  await app.listen();
  const database = app.get(DataSource);
  return {
    app,
    database,
    client: app.get(RequestClient),
    close: async () => {
      await app.close();
      if (database.isInitialized) await database.destroy();
    },
  };
}

/** A gateway: it only sends. */
export interface GatewayFixture {
  app: INestApplicationContext;
  client: RequestClient;
  /** Resolves when NATS knows about all subscriptions. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export async function startGateway(
  natsUrl: string | string[],
  service = 'api-gateway',
  user?: NatsIdentity,
): Promise<GatewayFixture> {
  const connection = { servers: natsUrl, ...user };

  @Module({ imports: [MessagingModule.forRoot({ service, connection })] })
  class GatewayModule {}

  const app = await NestFactory.createApplicationContext(GatewayModule, { logger });
  return {
    app,
    client: app.get(RequestClient),
    flush: () => app.get<NatsConnection>(NATS_CONNECTION).flush(),
    close: () => app.close(),
  };
}
