import 'reflect-metadata';
import { operations, type ServiceHealth } from '@mentorhub/contracts';
import { ServiceTransport } from '@mentorhub/messaging';
import { DatabaseHealth } from '@mentorhub/persistence';
import { type INestMicroservice, Injectable, Optional } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import { DataSource } from 'typeorm';
import type { ServiceConfig } from '../config/common-variables.js';
import { Health } from '../health/health.js';
import { observeDatabase, observePool } from '../metrics/pool-metrics.js';
import type { AppOptions, RunningApp } from './app-options.js';
import { assemble } from './assemble.js';

/** The database of a service, unless it does without, as some do in tests. */
@Injectable()
class DatabaseDependency {
  constructor(
    @Optional() readonly database?: DatabaseHealth,
    @Optional() readonly dataSource?: DataSource,
  ) {}
}

/** See `createService`. */
export function createServiceApp<C extends ServiceConfig>(
  options: AppOptions<C>,
): Promise<RunningApp<INestMicroservice>> {
  return assemble<INestMicroservice, C>(options, {
    // All its work comes from the broker; and a rollout must not go on to the next process when this one has none.
    readyWithoutBroker: false,
    create: (root, logger) =>
      NestFactory.createMicroservice<AsyncMicroserviceOptions>(root, {
        inject: [ServiceTransport],
        useFactory: (transport: ServiceTransport) => ({ strategy: transport }),
        logger,
        abortOnError: false,
      }),
    providers: [DatabaseDependency],
    observe,
    // Runs every onModuleInit and onApplicationBootstrap once, then lets requests in; `init` before it would run them
    // a second time.
    listen: (app) => {
      answerHealth(app, options.name);
      return app.listen();
    },
  });
}

/** Makes readiness depend on the database, and reports whether it answers and how busy its pool is. */
function observe(app: INestMicroservice, health: Health): () => void {
  const { database, dataSource } = app.get(DatabaseDependency);
  const ends: (() => void)[] = [];
  if (database) {
    health.register('database', () => database.check());
    ends.push(observeDatabase(database));
  }
  if (dataSource) ends.push(observePool(dataSource));
  return () => {
    for (const end of ends) end();
  };
}

/** Answers the gateway's `/health/detailed`; why a dependency is down stays on the management port. */
function answerHealth(app: INestMicroservice, name: string): void {
  const contract = operations(name).health.check;
  const health = app.get(Health, { strict: false });
  const answer = async (): Promise<ServiceHealth> => {
    const { status, checks } = await health.report();
    return {
      status,
      checks: Object.fromEntries(
        Object.entries(checks).map(([check, result]) => [
          check,
          { status: result.status, ms: result.ms },
        ]),
      ),
    };
  };
  app.get(ServiceTransport, { strict: false }).addHandler(contract.subject, answer, false, {
    contract,
  });
}
