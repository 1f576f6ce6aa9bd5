import { RevokedSessions } from '@mentorhub/access-token';
import { ApplicationError } from '@mentorhub/contracts';
import { Health } from '@mentorhub/service-kit';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyOptions } from '@mentorhub/service-kit/gateway';
import type { FastifyRequest } from 'fastify';
import type { ApiGatewayConfig } from './config.js';
import { ApiDocument } from './docs/api-document.js';
import { addViewerAssets } from './docs/viewer-assets.js';
import { addAccessLog } from './http/access-log.hook.js';
import { addBodyParsers } from './http/body-parsers.js';
import { errorAnswer, sendError } from './http/errors/error-answer.js';
import { addEtags } from './http/etag.hook.js';
import { addRequestContext } from './http/request-context.hooks.js';

/** How Fastify is set up, before there is an application. */
export const fastifyOptions = (config: ApiGatewayConfig): FastifyOptions => ({
  bodyLimit: config.MAX_BODY_BYTES,
  trustProxy: config.TRUSTED_PROXIES,
  requestTimeout: config.REQUEST_TIMEOUT_MS,
  routerOptions: { ignoreTrailingSlash: true },
});

/** What a browser asks before a request to another origin (Fetch standard, 3.3.2). */
function isPreflight({ headers }: FastifyRequest): boolean {
  return headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
}

function noPreflight(): ApplicationError {
  return new ApplicationError(
    'MALFORMED_REQUEST',
    'OPTIONS is for preflights: send `Origin` and `Access-Control-Request-Method`. /docs lists every route.',
  );
}

/** What every request passes before and after its route. */
export async function configure(
  app: NestFastifyApplication,
  config: ApiGatewayConfig,
): Promise<void> {
  const revoked = app.get(RevokedSessions);
  app.get(Health).register('sign-ins', async () => revoked.check());
  const server = app.getHttpAdapter().getInstance();
  // The plugin for CORS would answer such a request in a format of its own, and its route knows no filter.
  server.addHook('onRequest', (request, reply, done) => {
    if (request.method !== 'OPTIONS' || isPreflight(request)) done();
    else sendError(reply, errorAnswer(noPreflight(), request.id));
  });
  addRequestContext(server);
  addEtags(server);
  if (['info', 'debug', 'trace'].includes(config.LOG_LEVEL)) addAccessLog(server);
  addBodyParsers(app, config.MAX_BODY_BYTES);
  app.enableCors({
    // Nest would answer preflights before any other hook adds the headers that every answer carries.
    hook: 'preParsing',
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
