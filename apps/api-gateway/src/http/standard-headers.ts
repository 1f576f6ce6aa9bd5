import type { FastifyReply } from 'fastify';

/** For answers that no browser should render or run. */
const apiPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'content-security-policy': apiPolicy,
};

/** What every answer carries; routes that serve pages replace the policy. */
export function addStandardHeaders(reply: FastifyReply, requestId: string): void {
  reply.headers(securityHeaders).header('x-request-id', requestId);
}
