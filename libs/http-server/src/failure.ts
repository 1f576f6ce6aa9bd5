import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { httpErrorBody, type Problem, requestIdOf } from '@mentorhub/contracts';
import { securityHeaders } from './security-headers.js';
import { closeSoon, ignoreErrors } from './sockets.js';

/** What is answered instead of a result. An `ApplicationError` is one. */
export interface HttpFailure extends Pick<Problem, 'code' | 'detail' | 'errors'> {
  status: number;
  /** Sent as `Retry-After`; with 503 at least 1. */
  retryAfterSeconds?: number;
  /** Further headers, such as `Allow`. */
  headers?: Record<string, string>;
}

/** The headers that the status of a failure asks for. */
export function failureHeaders({
  status,
  retryAfterSeconds = status === 503 ? 1 : undefined,
}: Pick<HttpFailure, 'status' | 'retryAfterSeconds'>): Record<string, string> {
  return {
    ...(status === 401 && { 'WWW-Authenticate': 'Bearer' }),
    ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
  };
}

/** Headers and body of a failure in the one error format. */
export function renderFailure(
  failure: HttpFailure,
  requestId: string,
): { headers: Record<string, string>; text: string } {
  const text = JSON.stringify(httpErrorBody(failure, requestId, failure.status));
  return {
    headers: {
      ...securityHeaders,
      ...failureHeaders(failure),
      ...failure.headers,
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(text)),
      'X-Request-ID': requestId,
    },
    text,
  };
}

/** Answers a request with a failure. A body that still arrives is read and dropped, so that the client sees the answer. */
export function sendFailure(
  response: ServerResponse,
  failure: HttpFailure,
  requestId: string = requestIdOf(response.req),
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { headers, text } = renderFailure(failure, requestId);
  response.writeHead(failure.status, headers).end(text);
}

/** Answers on a bare socket, where there is no response object, and closes it. */
export function endWithFailure(socket: Duplex, failure: HttpFailure, requestId: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { headers, text } = renderFailure(failure, requestId);
  socket.on('error', ignoreErrors);
  socket.end(
    [
      `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status]}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      'Connection: close',
      '',
      text,
    ].join('\r\n'),
  );
  // What is still sent is dropped; read it must be, to see the client close.
  socket.resume();
  closeSoon(socket);
}
