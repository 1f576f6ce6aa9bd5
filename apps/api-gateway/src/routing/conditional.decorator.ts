import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiHeader, ApiResponse } from '@nestjs/swagger';

/** The answer carries an `ETag`; a client that sends it back as `If-None-Match` gets 304 while nothing changed. */
export const Conditional = (): MethodDecorator =>
  applyDecorators(
    RouteConfig({ etag: true }),
    ApiHeader({
      name: 'If-None-Match',
      required: false,
      description: 'The `ETag` of an answer that the client still has.',
      schema: { type: 'string' },
    }),
    ApiResponse({ status: 304, description: 'What the client has is still right.' }),
  );
