import { ApplicationError } from '@mentorhub/contracts';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { RawServerDefault } from 'fastify';
import { parse } from 'fast-querystring';
import { jsonText, malformed } from './json-body.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route takes the fields of an HTML form instead of JSON. */
    form?: boolean;
  }
}

const json = 'application/json';
const form = 'application/x-www-form-urlencoded';

/** Bodies are JSON, and of form routes HTML forms; anything else is 415. */
export function addBodyParsers(app: NestFastifyApplication, maxBytes: number): void {
  const server = app.getHttpAdapter().getInstance();
  server.removeContentTypeParser('text/plain');
  const parseJson = server.getDefaultJsonParser('error', 'error');

  app.useBodyParser<RawServerDefault>(json, { bodyLimit: maxBytes }, (request, body, done) => {
    // Clients that always name a content type send none with an empty body.
    if (body.length === 0) return done(null);
    void parseJson(request, jsonText(body), (error, value) => {
      if (error) done(malformed('The body is not valid JSON.'));
      else done(null, value);
    });
  });

  app.useBodyParser<RawServerDefault>(form, { bodyLimit: 16_384 }, (request, body, done) => {
    if (request.routeOptions.config.form) done(null, { ...parse(body.toString()) });
    else {
      done(
        new ApplicationError(
          'UNSUPPORTED_MEDIA_TYPE',
          `Send the body as JSON, with \`Content-Type: ${json}\`.`,
        ),
      );
    }
  });
}
