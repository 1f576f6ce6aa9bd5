import { applyDecorators } from '@nestjs/common';
import { ApiHeader, ApiResponse } from '@nestjs/swagger';
import { configureRoute } from './configure-route.js';

/** The answer carries an `ETag`; a client that sends it back as `If-None-Match` gets 304 while nothing changed. */
export const Conditional = (): MethodDecorator =>
  applyDecorators(
    configureRoute({ etag: true }),
    ApiHeader({
      name: 'If-None-Match',
      required: false,
      description: 'The `ETag` of an answer that the client still has.',
      schema: { type: 'string' },
    }),
    ApiResponse({ status: 304, description: 'What the client has is still right.' }),
  );
