import type { Locale } from '@mentorhub/contracts';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** The language to answer in, by `Accept-Language`; English when it names none of ours. */
export const PreferredLocale = createParamDecorator(
  (_: unknown, execution: ExecutionContext): Locale =>
    execution.switchToHttp().getRequest<FastifyRequest>().context.locale ?? 'en',
);
