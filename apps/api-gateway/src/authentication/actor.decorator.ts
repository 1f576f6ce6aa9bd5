import type { Caller } from '@mentorhub/contracts';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** Who asks: the verified caller; `undefined` only on routes that are open to anyone. */
export const Actor = createParamDecorator(
  (_: unknown, execution: ExecutionContext): Caller | undefined =>
    execution.switchToHttp().getRequest<FastifyRequest>().context.caller,
);
