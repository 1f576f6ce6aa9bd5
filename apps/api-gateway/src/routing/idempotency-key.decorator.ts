import { applyDecorators } from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import { configureRoute } from './configure-route.js';

/** The route takes an `Idempotency-Key`, which travels to the service. */
export const AcceptsIdempotencyKey = (): MethodDecorator =>
  applyDecorators(
    configureRoute({ idempotencyKey: true }),
    ApiHeader({
      name: 'Idempotency-Key',
      required: false,
      description:
        'The same key again within 24 hours gets the first answer again; with a different body, 409.',
      schema: { type: 'string', minLength: 1, maxLength: 128, pattern: '^[\\x20-\\x7E]+$' },
    }),
  );
