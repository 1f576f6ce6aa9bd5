import { RevokedSessions } from '@mentorhub/access-token';
import { requestIdOf } from '@mentorhub/contracts';
import { Health } from '@mentorhub/service-kit';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyOptions } from '@mentorhub/service-kit/gateway';
import type { ApiGatewayConfig } from './config.js';
import { ApiDocument } from './docs/api-document.js';
import { addViewerAssets } from './docs/viewer-assets.js';
import { addAccessLog } from './http/access-log.hook.js';
import { addBodyParsers } from './http/body-parsers.js';
import { answerClientError } from './http/errors/client-error.js';
import { errorAnswer, sendError } from './http/errors/error-answer.js';
import { addEtags } from './http/etag.hook.js';
import { addRequestContext } from './http/request-context.hooks.js';
import { addStandardHeaders } from './http/standard-headers.js';

/** How Fastify is set up, before there is an application. */
export const fastifyOptions = (config: ApiGatewayConfig): FastifyOptions => ({
  bodyLimit: config.MAX_BODY_BYTES,
  trustProxy: config.TRUSTED_PROXIES,
  requestTimeout: config.REQUEST_TIMEOUT_MS,
  http: {
    // Node takes the shorter of the two for the headers, so both must be set.
    headersTimeout: config.REQUEST_TIMEOUT_MS,
    // How often Node looks for clients that take too long, in milliseconds.
    connectionsCheckingInterval: 1000,
  },
  genReqId: requestIdOf,
  requestIdHeader: false,
  routerOptions: { ignoreTrailingSlash: true },
  clientErrorHandler: answerClientError,
  // Addresses that cannot be decoded never reach a hook or a filter.
  frameworkErrors: (error, request, reply) => {
    addStandardHeaders(reply, request.id);
    sendError(reply, errorAnswer(error, request.id));
  },
});

/** What every request passes before and after its route. */
export async function configure(
  app: NestFastifyApplication,
  config: ApiGatewayConfig,
): Promise<void> {
  const revoked = app.get(RevokedSessions);
  app.get(Health).register('sign-ins', async () => revoked.check());
  const server = app.getHttpAdapter().getInstance();
  server.addHook('onRequest', (request, reply, done) => {
    addStandardHeaders(reply, request.id);
    done();
  });
  addRequestContext(server);
  addEtags(server);
  if (['info', 'debug', 'trace'].includes(config.LOG_LEVEL)) addAccessLog(server);
  addBodyParsers(app, config.MAX_BODY_BYTES);
  app.enableCors({
    origin: [new URL(config.PUBLIC_URL).origin, ...config.ALLOWED_ORIGINS],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: [
      'Accept-Language',
      'Authorization',
      'Content-Type',
      'Idempotency-Key',
      'If-None-Match',
      'X-Request-ID',
    ],
    exposedHeaders: ['ETag', 'Retry-After', 'X-Request-ID'],
    maxAge: 600,
  });
  await addViewerAssets(app);
  app.get(ApiDocument).describe(app);
}
