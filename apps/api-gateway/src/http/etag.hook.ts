import { hash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The answer carries an `ETag`, and `If-None-Match` is honoured. */
    etag?: boolean;
  }
}

/** Lets clients keep answers of public resources: an unchanged one costs 304 and no body (RFC 9110, 13.1.2). */
export function addEtags(server: FastifyInstance): void {
  server.addHook('onSend', (request, reply, payload, done) => {
    if (!request.routeOptions.config.etag || reply.statusCode !== 200 || !isBytes(payload)) {
      done(null, payload);
      return;
    }
    const etag = `"${hash('sha1', payload, 'base64url')}"`;
    const shared = request.headers.authorization === undefined;
    reply.headers({
      etag,
      vary: 'Authorization, Accept-Language, Origin',
      'cache-control': shared ? 'public, no-cache' : 'private, no-cache',
    });
    if (!matches(request.headers['if-none-match'], etag)) {
      done(null, payload);
      return;
    }
    reply.code(304).removeHeader('content-type').removeHeader('content-length');
    done(null, null);
  });
}

function isBytes(payload: unknown): payload is Buffer {
  return Buffer.isBuffer(payload);
}

/** Weak comparison, as `If-None-Match` asks for. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((candidate) => {
    const tag = candidate.trim().replace(/^W\//, '');
    return tag === '*' || tag === etag;
  });
}
