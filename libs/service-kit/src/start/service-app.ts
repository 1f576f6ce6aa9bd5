import 'reflect-metadata';
import { operations, type ServiceHealth } from '@mentorhub/contracts';
import { ServiceTransport } from '@mentorhub/messaging';
import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import type { ServiceConfig } from '../config/common-variables.js';
import { Health } from '../health/health.js';
import type { AppOptions, RunningApp } from './app-options.js';
import { assemble } from './assemble.js';

/** See `createService`. */
export function createServiceApp<C extends ServiceConfig>(
  options: AppOptions<C>,
): Promise<RunningApp<INestMicroservice>> {
  return assemble<INestMicroservice, C>(options, {
    create: (root, logger) =>
      NestFactory.createMicroservice<AsyncMicroserviceOptions>(root, {
        inject: [ServiceTransport],
        useFactory: (transport: ServiceTransport) => ({ strategy: transport }),
        logger,
        abortOnError: false,
      }),
    // Runs every onModuleInit and onApplicationBootstrap once, then lets requests in; `init` before it would run them
    // a second time.
    listen: (app) => {
      answerHealth(app, options.name);
      return app.listen();
    },
  });
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
