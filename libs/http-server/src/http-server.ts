import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { requestIdOf } from '@mentorhub/contracts';
import { endWithFailure, type HttpFailure, sendFailure } from './failure.js';
import { ignoreErrors } from './sockets.js';

/** Time-outs in milliseconds. */
export interface HttpServerOptions {
  /** For the headers of a request, from its first byte or, for the first request, from the connection on; default 10 s. */
  headersTimeout?: number;
  /** For a whole request; default 30 s. */
  requestTimeout?: number;
  /** For a connection with a request on which no byte moves in either direction; default 75 s. */
  idleTimeout?: number;
  /** For the next request on a connection; default 5 s. */
  keepAliveTimeout?: number;
}

/**
 * An HTTP server that no client can end or leave a connection in, and that answers in the one error format also what
 * Node.js would answer itself or hang up on: broken HTTP, a missing `Host`, an unknown `Expect`, CONNECT.
 *
 * `upgrade` listeners get WebSocket handshakes only, without a body; any other `Upgrade` is ignored (RFC 9110, 7.8).
 * Every socket has an error handler from its first moment, also after it was handed to an `upgrade` listener.
 */
export function createHttpServer(options: HttpServerOptions, handle: RequestListener): Server {
  const { requestTimeout = 30_000, headersTimeout = Math.min(10_000, requestTimeout) } = options;
  const server: Server = createServer(
    {
      requestTimeout,
      headersTimeout,
      keepAliveTimeout: options.keepAliveTimeout ?? 5_000,
      // How often Node.js looks for clients that take too long.
      connectionsCheckingInterval: 1_000,
      // Checked below: Node.js answers without a body.
      requireHostHeader: false,
      shouldUpgradeCallback: (request) =>
        server.listenerCount('upgrade') > 0 &&
        isHandshake(request) &&
        handshakeFault(request) === undefined,
    },
    (request, response) => {
      const failure = refusalOf(server, request);
      track(response);
      if (failure === undefined) handle(request, response);
      else sendFailure(response, failure);
    },
  );
  server.setTimeout(options.idleTimeout ?? 75_000);
  server.on('connection', (socket) => socket.on('error', ignoreErrors));
  server.on('checkExpectation', (_request, response) => sendFailure(response, unknownExpectation));
  server.on('connect', (request) => hangUp(request.socket, noTunnels, requestIdOf(request)));
  server.on('clientError', answerClientError);
  return server;
}

function refusalOf(server: Server, request: IncomingMessage): HttpFailure | undefined {
  if (request.headers.host === undefined && request.httpVersion === '1.1') return noHost;
  if (hasTwoHosts(request)) return twoHosts;
  if (!isTarget.test(request.url ?? '')) return noTarget;
  if (server.listenerCount('upgrade') > 0 && isHandshake(request)) return handshakeFault(request);
  return undefined;
}

/** A path of this server, or a whole address, which is for proxies (RFC 9112, 3.2). */
const isTarget = /^(?:\/|https?:\/\/)/i;

/** Of several, each reader could take another one for the name of the server (RFC 9112, 3.2). */
function hasTwoHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts > 1;
}

/** Whether a request asks for a WebSocket. HTTP/1.0 cannot (RFC 9110, 7.8). */
function isHandshake({ headers, httpVersion }: IncomingMessage): boolean {
  return (
    headers.upgrade?.toLowerCase() === 'websocket' &&
    /(?:^|[\s,])upgrade(?:[\s,]|$)/i.test(headers.connection ?? '') &&
    httpVersion === '1.1'
  );
}

/** Node.js would hand over the socket of such a handshake while something else is still read from or written to it. */
function handshakeFault({ headers, socket }: IncomingMessage): HttpFailure | undefined {
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) {
    return handshakeWithBody;
  }
  return currentResponse(socket) === undefined ? undefined : handshakeTooEarly;
}

const answered = new WeakSet<Duplex>();

function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Every further piece of a broken request is an error again.
  if (answered.has(socket)) return;
  answered.add(socket);
  if (error.code === 'ECONNRESET') socket.destroy();
  else hangUp(socket, faultOf(error.code), randomUUID());
}

/** Answers and closes; only closes when an answer has begun, as this one would be taken for its end. */
function hangUp(socket: Duplex, failure: HttpFailure, requestId: string): void {
  if (currentResponse(socket)?.headersSent === true) socket.destroy();
  else endWithFailure(socket, failure, requestId);
}

/** The responses of each connection that are not finished, in the order of their requests. */
const unfinished = new WeakMap<Duplex, Set<ServerResponse>>();

function track(response: ServerResponse): void {
  const { socket } = response.req;
  const responses = unfinished.get(socket) ?? new Set();
  unfinished.set(socket, responses.add(response));
  response.once('close', () => responses.delete(response));
}

/** The response that is being written to a connection. */
function currentResponse(socket: Duplex): ServerResponse | undefined {
  return unfinished.get(socket)?.values().next().value;
}

function faultOf(code = ''): HttpFailure {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return malformed(431, 'The headers are too large. Send fewer or shorter ones.');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return {
        status: 413,
        code: 'BODY_TOO_LARGE',
        detail: 'The chunk extensions of the body are too large. Leave them out.',
      };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return malformed(408, 'The request did not arrive in time. Send it again, without pauses.');
    default:
      return malformed(400, 'The request could not be read. Send well-formed HTTP/1.1.');
  }
}

function malformed(
  status: number,
  detail: string,
  headers: Record<string, string> = {},
): HttpFailure {
  return { status, code: 'MALFORMED_REQUEST', detail, headers };
}

const noHost = malformed(400, 'The header `Host` is missing. Send the name of this server.');

const twoHosts = malformed(400, 'There is more than one header `Host`. Send one.');

const noTarget = malformed(400, 'The address of the request is no path. Begin it with `/`.');

// The client may wait with its body, so nobody knows where its next request would begin.
const unknownExpectation = malformed(
  417,
  'This expectation cannot be met. Send `Expect: 100-continue` or none.',
  { Connection: 'close' },
);

const handshakeWithBody = malformed(
  400,
  'A WebSocket handshake has no body. Send it without `Content-Length` and `Transfer-Encoding`.',
);

const handshakeTooEarly = malformed(
  400,
  'A WebSocket handshake cannot follow a request that is not answered yet. Open a connection for it.',
);

const noTunnels = malformed(405, 'This is no proxy. Send a request for a path of this server.', {
  Allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
});
