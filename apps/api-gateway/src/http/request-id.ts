import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const sane = /^[\w.-]{1,128}$/;

/** The id of a request: the client's own `X-Request-ID` if it is 1 to 128 of letters, digits, `.`, `_` and `-`. */
export function requestId({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const sent = headers['x-request-id'];
  return typeof sent === 'string' && sane.test(sent) ? sent : randomUUID();
}
