import type { FastifyReply } from 'fastify';

/** For answers that no browser should render or run. */
const apiPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'";

const standardHeaders = {
  // Answers are personal unless a route says otherwise.
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'content-security-policy': apiPolicy,
};

/** What every answer carries. Pages replace the policy, public resources and files the rule for caches. */
export function addStandardHeaders(reply: FastifyReply, requestId: string): void {
  reply.headers(standardHeaders).header('x-request-id', requestId);
}
