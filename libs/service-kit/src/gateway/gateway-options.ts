import type { Server } from 'node:http';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyHttpOptions } from 'fastify';
import type { GatewayConfig } from '../config/common-variables.js';
import type { AppOptions, RunningApp } from '../start/app-options.js';

export type FastifyOptions = FastifyHttpOptions<Server>;

export interface GatewayOptions<C extends GatewayConfig> extends AppOptions<C> {
  /** Routes, filters, documentation: whatever must be in place before the first request. */
  configure?: (app: NestFastifyApplication, config: C) => Promise<void> | void;
  /** Options of Fastify, such as `bodyLimit` and `trustProxy`; fixed, or made of the configuration. */
  fastify?: FastifyOptions | ((config: C) => FastifyOptions | Promise<FastifyOptions>);
  /** Keep the raw body of requests; for signed webhooks. Default false. */
  rawBody?: boolean;
}

export interface RunningGateway extends RunningApp<NestFastifyApplication> {
  readonly port: number;
  /** `http://127.0.0.1:port`. */
  readonly url: string;
}
