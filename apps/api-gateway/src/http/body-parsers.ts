import { ApplicationError } from '@mentorhub/contracts';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { RawServerDefault } from 'fastify';
import { parse } from 'fast-querystring';
import { uploadTypes } from '../uploads/upload.decorator.js';
import { parseJson } from './json-body.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route takes the fields of an HTML form instead of JSON. */
    form?: boolean;
    /** The largest body of the route, in bytes, where it needs more than others. */
    maxBodyBytes?: number;
    /** The route reads a file from the body, piece by piece. */
    upload?: boolean;
  }
}

const json = 'application/json';
const form = 'application/x-www-form-urlencoded';

function unsupported(): ApplicationError {
  return new ApplicationError(
    'UNSUPPORTED_MEDIA_TYPE',
    `Send the body as JSON, with \`Content-Type: ${json}\`.`,
  );
}

/** Bodies are JSON, of form routes HTML forms, and of upload routes files; anything else is 415. */
export function addBodyParsers(app: NestFastifyApplication, maxBytes: number): void {
  const server = app.getHttpAdapter().getInstance();
  server.removeContentTypeParser('text/plain');
  server.addHook('onRoute', (route) => {
    route.bodyLimit = route.config?.maxBodyBytes ?? route.bodyLimit;
  });

  app.useBodyParser<RawServerDefault>(json, { bodyLimit: maxBytes }, (_request, body, done) => {
    // Clients that always name a content type send none with an empty body.
    if (body.length === 0) return done(null);
    try {
      done(null, parseJson(body));
    } catch (error) {
      done(error as Error);
    }
  });

  app.useBodyParser<RawServerDefault>(form, { bodyLimit: 16_384 }, (request, body, done) => {
    if (request.routeOptions.config.form) done(null, { ...parse(body.toString()) });
    else done(unsupported());
  });

  server.addContentTypeParser(uploadTypes, (request, payload, done) => {
    if (request.routeOptions.config.upload) done(null, payload);
    else done(unsupported());
  });
}
