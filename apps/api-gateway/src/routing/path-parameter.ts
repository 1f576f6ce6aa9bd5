import type { ExecutionContext } from '@nestjs/common';
import { ApiParam } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';

/** A parameter of the path as it was sent. */
export function pathParameter(execution: ExecutionContext, name: string): string {
  const { params } = execution.switchToHttp().getRequest<FastifyRequest>();
  return (params as Record<string, string | undefined>)[name] ?? '';
}

/** Describes a parameter in the OpenAPI document, which knows nothing of decorators of our own. */
export function documentPathParameter(
  parameter: { name: string; example?: string; schema: object },
  target: object,
  key: string | symbol,
): void {
  const descriptor = Object.getOwnPropertyDescriptor(target, key);
  if (descriptor) ApiParam(parameter)(target, key, descriptor);
}
