import { type IncomingMessage, request as httpRequest } from 'node:http';
import { type Duplex, pipeline } from 'node:stream';
import { closeSoon } from '@mentorhub/http-server';
import { errorCode } from '../problem.js';
import type { NoAnswer } from './forward.js';
import { endToEndHeaders, forwardedHeaders } from './headers.js';

export interface TunnelOptions {
  /** A gateway that has not answered the handshake by then is given up, in milliseconds. */
  answerTimeoutMs: number;
  /** Called at most once, while the client can still be answered. */
  onNoAnswer: (reason: NoAnswer) => void;
}

/**
 * Passes a WebSocket handshake on to a gateway and, once that accepts it, every byte in both directions. A refusal is
 * passed back, and the connection closed.
 */
export function tunnel(
  request: IncomingMessage,
  client: Duplex,
  head: Buffer,
  url: string,
  { answerTimeoutMs, onNoAnswer }: TunnelOptions,
): void {
  const { hostname, port } = new URL(url);
  const outgoing = httpRequest({
    host: hostname,
    port,
    method: request.method,
    path: request.url,
    // One connection for one socket: it is not given back.
    agent: false,
    headers: { ...forwardedHeaders(request), connection: 'Upgrade', upgrade: 'websocket' },
  });
  let answered = false;
  let silent = false;
  const abandon = (): void => void outgoing.destroy();
  client.once('close', abandon);
  outgoing.setTimeout(answerTimeoutMs, () => {
    silent = true;
    outgoing.destroy(new Error('The gateway is silent.'));
  });
  outgoing.once('upgrade', (answer, gateway, firstBytes) => {
    answered = true;
    client.off('close', abandon);
    outgoing.setTimeout(0);
    join(client, gateway);
    client.write(answerHead(answer, { connection: 'Upgrade', upgrade: 'websocket' }));
    client.write(firstBytes);
    gateway.write(head);
  });
  outgoing.once('response', (answer) => {
    answered = true;
    client.write(answerHead(answer, { connection: 'close' }));
    pipeline(answer, client, () => closeSoon(client));
    client.resume();
  });
  outgoing.on('error', (error) => {
    if (answered || client.closed) return;
    client.off('close', abandon);
    if (errorCode(error) === 'ECONNREFUSED') onNoAnswer('refused');
    else onNoAnswer(silent ? 'silent' : 'broken');
  });
  outgoing.end();
}

/** Neither side outlives the other by more than the time to read what it was sent last. */
function join(client: Duplex, gateway: Duplex): void {
  for (const [from, to] of [
    [client, gateway],
    [gateway, client],
  ] as const) {
    from.on('error', () => from.destroy());
    from.once('end', () => closeSoon(to));
    from.once('close', () => closeSoon(to));
    from.pipe(to);
  }
}

function answerHead(answer: IncomingMessage, connection: Record<string, string>): string {
  const headers = Object.entries({ ...endToEndHeaders(answer.headers), ...connection });
  return [
    `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`,
    ...headers.flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`)),
    '',
    '',
  ].join('\r\n');
}
