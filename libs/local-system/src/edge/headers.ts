import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** Headers of one connection (RFC 9110, 7.6.1), and those that only a proxy may set: never passed on. */
const dropped = new Set([
  'connection',
  'expect',
  'forwarded',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-server',
  'x-real-ip',
]);

/** Say how a message is read: naming them in `Connection` does not remove them. */
const kept = new Set(['content-length', 'host']);

/** The headers of a message that are meant for its final recipient. */
export function endToEndHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = (headers.connection ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => !kept.has(name));
  const result = { ...headers };
  for (const name of [...named, ...dropped]) delete result[name];
  return result;
}

/** The headers of a request as a gateway gets them: with the client's address as the edge sees it. */
export function forwardedHeaders({ headers, socket }: IncomingMessage): IncomingHttpHeaders {
  return {
    ...endToEndHeaders(headers),
    'x-forwarded-for': socket.remoteAddress ?? '',
    'x-forwarded-proto': 'http',
    ...(headers.host !== undefined && { 'x-forwarded-host': headers.host }),
  };
}

/** Whether the headers of a request announce a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}
