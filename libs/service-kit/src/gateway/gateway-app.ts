import 'reflect-metadata';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { requestIdOf } from '@mentorhub/contracts';
import {
  createHttpServer,
  type HttpFailure,
  securityHeaders,
  sendFailure,
} from '@mentorhub/http-server';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { GatewayConfig } from '../config/common-variables.js';
import { servedWhileStoppingMs } from '../config/shutdown.js';
import { httpDuration, httpRequests } from '../metrics/http-metrics.js';
import { assemble } from '../start/assemble.js';
import type { FastifyOptions, GatewayOptions, RunningGateway } from './gateway-options.js';

const badAddress: HttpFailure = {
  status: 400,
  code: 'MALFORMED_REQUEST',
  detail: 'The address cannot be decoded. Write `%` as `%25`, and other characters as UTF-8.',
};

const hardened: FastifyOptions = {
  // While it drains a gateway still answers; refusing would fail requests that a keep-alive connection brings.
  return503OnClosing: false,
  forceCloseConnections: 'idle',
  genReqId: requestIdOf,
  requestIdHeader: false,
  serverFactory: (handle, { requestTimeout, keepAliveTimeout }: FastifyOptions) =>
    // Fastify's default of 0 means none.
    createHttpServer({ requestTimeout: requestTimeout || undefined, keepAliveTimeout }, handle),
  // Answered by the server.
  clientErrorHandler: () => undefined,
  // Addresses that cannot be decoded reach no hook and no filter.
  frameworkErrors: (_error, _request, reply) => {
    reply.hijack();
    sendFailure(reply.raw, badAddress);
  },
};

/** See `createGateway`. */
export async function createGatewayApp<C extends GatewayConfig>(
  options: GatewayOptions<C>,
): Promise<RunningGateway> {
  const { config, configure, fastify = {}, rawBody = false } = options;
  const adapter = new FastifyAdapter({
    ...hardened,
    ...(typeof fastify === 'function' ? await fastify(config) : fastify),
  });
  const server = adapter.getInstance();
  server.addHook('onRequest', (request, reply, done) => {
    reply.headers(securityHeaders).header('X-Request-ID', request.id);
    done();
  });
  let draining = false;
  // On sending, so that it reaches requests that came before the drain too: their connections would be kept open.
  server.addHook('onSend', (_request, reply, payload, done) => {
    if (draining) reply.header('connection', 'close');
    done(null, payload);
  });
  server.addHook('onResponse', (request, reply, done) => {
    const { method } = request;
    // The pattern, not the address: ids would make a time series each.
    const route = request.routeOptions.url ?? 'unknown';
    httpRequests.inc({ method, route, status: reply.statusCode });
    httpDuration.observe({ method, route }, reply.elapsedTime / 1000);
    done();
  });

  const running = await assemble<NestFastifyApplication, C>(options, {
    // The broker is down for all gateways alike: taken out of the load balancer together they would leave clients with
    // its bare error page, or none, instead of 503 in the error format.
    readyWithoutBroker: true,
    create: (root, logger) =>
      NestFactory.create<NestFastifyApplication>(root, adapter, {
        logger,
        abortOnError: false,
        rawBody,
      }),
    listen: async (app) => {
      await configure?.(app, config);
      await app.listen(config.PORT, config.HOST);
    },
    drain: async () => {
      draining = true;
      await delay(servedWhileStoppingMs(config));
      // Closing waits for every connection; one that was busy a moment ago is idle now.
      setInterval(() => server.server.closeIdleConnections(), 100).unref();
    },
  });
  const { port } = running.app.getHttpServer().address() as AddressInfo;
  return { ...running, port, url: `http://127.0.0.1:${port}` };
}
