import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyContextConfig } from 'fastify';

const configs = new WeakMap<object, FastifyContextConfig>();

/** Sets a part of the route's configuration for hooks and parsers; `RouteConfig` alone would replace the other parts. */
export function configureRoute(part: FastifyContextConfig): MethodDecorator {
  return (target, key, descriptor) => {
    const handler = descriptor.value as object;
    const config = { ...configs.get(handler), ...part };
    configs.set(handler, config);
    (RouteConfig(config) as MethodDecorator)(target, key, descriptor);
  };
}
