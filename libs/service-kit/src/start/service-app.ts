import 'reflect-metadata';
import { ServiceTransport } from '@mentorhub/messaging';
import type { INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import type { ServiceConfig } from '../config/common-variables.js';
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
    listen: async (app) => {
      // Every onModuleInit has run before the first request can arrive.
      await app.init();
      await app.listen();
    },
  });
}
