/**
 * Headers of every answer, from edge and gateways alike: for answers that no browser should render or run. Pages
 * replace the policy, public resources and files the rule for caches.
 */
export const securityHeaders = {
  // Answers are personal unless a route says otherwise.
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
} as const;
