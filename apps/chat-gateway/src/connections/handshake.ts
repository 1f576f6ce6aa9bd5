import type { IncomingMessage } from 'node:http';
import type { HttpFailure } from '@mentorhub/http-server';

/** 16 bytes in base64 (RFC 6455, 4.1). */
const handshakeKey = /^[\d+/A-Za-z]{22}==$/;

/** What a request is answered that is no WebSocket handshake; undefined when it is one. */
export function handshakeFault({ method, headers }: IncomingMessage): HttpFailure | undefined {
  if (method !== 'GET') return badHandshake('The method must be GET');
  if (headers['sec-websocket-version'] !== '13') {
    return badHandshake('`Sec-WebSocket-Version` must be 13');
  }
  if (!handshakeKey.test(headers['sec-websocket-key'] ?? '')) {
    return badHandshake('`Sec-WebSocket-Key` must be 16 random bytes in base64');
  }
  return undefined;
}

/** @param reason what is wrong, without a full stop */
export function badHandshake(reason: string): HttpFailure {
  return {
    status: 400,
    code: 'MALFORMED_REQUEST',
    detail: `This is no WebSocket handshake (RFC 6455). ${reason}.`,
    headers: { 'Sec-WebSocket-Version': '13' },
  };
}
