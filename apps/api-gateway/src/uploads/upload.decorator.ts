import { applyDecorators, createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { ApiBody, ApiConsumes } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { configureRoute } from '../routing/configure-route.js';

/** Types of a body that a route reads piece by piece, instead of finding it parsed. */
export const uploadTypes = ['text/csv', 'multipart/form-data'];

/** The route takes a CSV file: as the body, or as the field `file` of a form. */
export const TakesCsv = (description: string): MethodDecorator =>
  applyDecorators(
    configureRoute({ upload: true }),
    ApiConsumes(...uploadTypes),
    ApiBody({
      description,
      required: true,
      schema: {
        oneOf: [
          { type: 'string' },
          {
            type: 'object',
            required: ['file'],
            properties: { file: { type: 'string', format: 'binary' } },
          },
        ],
      },
    }),
  );

/** The request whose body is still to be read. */
export const Upload = createParamDecorator(
  (_: unknown, execution: ExecutionContext): FastifyRequest =>
    execution.switchToHttp().getRequest<FastifyRequest>(),
);
