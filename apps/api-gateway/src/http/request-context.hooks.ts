import { ApplicationError } from '@mentorhub/contracts';
import { type RequestContext, requestContext } from '@mentorhub/messaging/client';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { preferredLocale } from './preferred-locale.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** What travels to the services with every request that this one causes. */
    context: GatewayContext;
  }
  interface FastifyContextConfig {
    /** The route takes an `Idempotency-Key`. */
    idempotencyKey?: boolean;
  }
}

/** The context of a request; the guard adds the caller once the token is verified. */
export type GatewayContext = { -readonly [Key in keyof RequestContext]: RequestContext[Key] };

const traceparent = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;
const printable = /^[\x20-\x7e]{1,128}$/;

/**
 * Gives every request its context, made only of what is checked here: headers that a client names like ours (`Caller`,
 * `x-user-id`) are never read.
 */
export function addRequestContext(server: FastifyInstance): void {
  server.decorateRequest('context');
  // Not in onRequest: the body arrives in callbacks of the socket, which do not keep what onRequest entered.
  server.addHook('preValidation', (request, _reply, done) => {
    request.context = contextOf(request);
    requestContext.run(request.context, done);
  });
}

function contextOf({ id, headers, routeOptions }: FastifyRequest): GatewayContext {
  const trace = headers.traceparent;
  return {
    requestId: id,
    traceparent: typeof trace === 'string' && traceparent.test(trace) ? trace : undefined,
    locale: preferredLocale(headers['accept-language']),
    idempotencyKey: routeOptions.config.idempotencyKey
      ? idempotencyKeyOf(headers['idempotency-key'])
      : undefined,
  };
}

/** @throws ApplicationError VALIDATION_FAILED */
function idempotencyKeyOf(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === 'string' && printable.test(header)) return header;
  throw ApplicationError.invalid(
    'Idempotency-Key',
    'Idempotency-Key must be 1 to 128 printable ASCII characters.',
  );
}
