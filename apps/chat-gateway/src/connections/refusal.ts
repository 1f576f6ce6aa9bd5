import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** Why an HTTP upgrade is refused. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly status: 401 | 403 | 404 | 503,
    /** Names the fix. */
    readonly detail: string,
  ) {
    super(detail);
  }
}

/** Answers an upgrade with an error of the REST format and ends the connection. */
export function refuse(socket: Duplex, { status, detail }: Refusal, requestId: string): void {
  const body = JSON.stringify({ detail, status_code: status, errors: [], request_id: requestId });
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-ID: ${requestId}`,
      ...(status === 503 ? ['Retry-After: 1'] : []),
      '',
      body,
    ].join('\r\n'),
  );
}
