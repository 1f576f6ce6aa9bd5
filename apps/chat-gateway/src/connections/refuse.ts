import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ApplicationError, httpErrorBody } from '@mentorhub/contracts';

/** Answers an HTTP upgrade with an error of the REST format and ends the connection. */
export function refuse(socket: Duplex, error: ApplicationError, requestId: string): void {
  const { status, retryAfterSeconds = status === 503 ? 1 : undefined } = error;
  const body = JSON.stringify(httpErrorBody(error, requestId));
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-ID: ${requestId}`,
      ...(retryAfterSeconds === undefined ? [] : [`Retry-After: ${retryAfterSeconds}`]),
      '',
      body,
    ].join('\r\n'),
  );
}
