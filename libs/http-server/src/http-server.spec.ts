import type { RequestListener, Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createHttpServer, type HttpServerOptions } from './http-server.js';
import { securityHeaders } from './security-headers.js';
import {
  attack,
  holdHalfOpen,
  rawAnswer,
  rawHandshake,
  rawRequest,
} from '@mentorhub/http-server-testing';

async function serve(
  options: HttpServerOptions = {},
  handle: RequestListener = (_, response) => response.end('served'),
): Promise<{ server: Server; port: number }> {
  const server = createHttpServer(options, handle);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

function connections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

/** Asks and never reads the answer. */
function deafClient(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(rawRequest('GET /')));
  socket.on('error', () => undefined);
  return socket.pause();
}

const closing = 'Connection: close\r\n';

function expectError(answer: string, status: number): void {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  const headers = new Headers(
    head
      .split('\r\n')
      .slice(1)
      .map((line) => line.split(': ', 2) as [string, string]),
  );
  const { request_id: requestId, ...error } = JSON.parse(body) as Record<string, unknown>;
  expect(error).toEqual({
    detail: expect.stringMatching(/\.$/),
    status_code: status,
    code: expect.stringMatching(/^[A-Z_]+$/),
    errors: [],
  });
  expect(headers.get('x-request-id')).toBe(requestId);
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(Object.fromEntries(headers)).toMatchObject(
    Object.fromEntries(
      Object.entries(securityHeaders).map(([name, value]) => [name.toLowerCase(), value]),
    ),
  );
}

describe('what is no good request', () => {
  it.each([
    ['without Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['with two Hosts', rawRequest('GET /', `${closing}Host: other\r\n`), 400],
    ['OPTIONS of no path', rawRequest('OPTIONS *', closing), 400],
    ['with an unknown Expect', rawRequest('GET /', 'Expect: miracles\r\n'), 417],
    ['CONNECT', rawRequest('CONNECT example.com:443'), 405],
    ['CONNECT with a body', rawRequest('CONNECT a:1', 'Content-Length: 9\r\n', 'x'), 405],
    ['CONNECT behind a request', `${rawRequest('GET /wait')}${rawRequest('CONNECT a:1')}`, 405],
    ['broken HTTP', 'nonsense\r\n\r\n', 400],
    ['an unknown method', rawRequest('BREW /'), 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['TLS', Buffer.from('16030100c8010000c40303', 'hex'), 400],
    [
      'a body of two lengths',
      rawRequest('POST /', 'Content-Length: 1\r\nContent-Length: 2\r\n'),
      400,
    ],
    ['headers of 40 KB', rawRequest('GET /', `X: ${'x'.repeat(40_000)}\r\n`), 431],
  ])('is answered in the error format: %s', async (_what, bytes, status) => {
    const { port } = await serve({}, (request, response) => {
      if (request.url !== '/wait') response.end();
    });
    expectError(await rawAnswer(port, bytes), status);
  });

  it('carries the request id of the client where one was read', async () => {
    const { port } = await serve();
    for (const line of ['GET /', 'CONNECT a:1']) {
      const request = rawRequest(line, 'Expect: miracles\r\nX-Request-ID: mine\r\n');
      expect(await rawAnswer(port, request)).toContain('"request_id":"mine"');
    }
  });

  it('ends the connection without an answer in the middle of another one', async () => {
    const { port } = await serve({}, (_request, response) => response.write('begun'));
    const answer = await rawAnswer(port, `${rawRequest('GET /')}nonsense\r\n\r\n`);
    expect(answer).not.toContain('MALFORMED_REQUEST');
  });
});

describe('an Upgrade', () => {
  it.each(['h2c', 'TLS/1.0', 'nonsense'])('to %s is ignored', async (protocol) => {
    const { server, port } = await serve();
    server.on('upgrade', (_request, socket) => socket.destroy());
    const headers = `${closing.replace('close', 'close, Upgrade')}Upgrade: ${protocol}\r\n`;
    expect(await rawAnswer(port, rawRequest('GET /', headers))).toMatch(/200 OK.*served/s);
  });

  it('to websocket is ignored where nobody listens for it', async () => {
    const { port } = await serve({ keepAliveTimeout: 1 });
    expect(await rawAnswer(port, rawHandshake('/'))).toMatch(/200 OK.*served/s);
  });

  it.each([
    ['with a length', rawHandshake('/', `Content-Length: 5\r\n`, 'hello')],
    ['in chunks', rawHandshake('/', 'Transfer-Encoding: chunked\r\n', '0\r\n\r\n')],
    ['behind another request', `${rawRequest('GET /wait')}${rawHandshake('/')}`],
  ])('to websocket is refused: %s', async (_what, bytes) => {
    const { server, port } = await serve({ keepAliveTimeout: 1 }, (_request, response) => {
      setImmediate(() => response.end());
    });
    server.on('upgrade', (_request, socket) => socket.end('upgraded'));
    const answer = await rawAnswer(port, bytes);
    expectError(answer.slice(answer.lastIndexOf('HTTP/1.1 400')), 400);
  });
});

describe('a server under attack', () => {
  it('lives, serves and keeps no connection, also with a careless handler', async () => {
    const { server, port } = await serve({ keepAliveTimeout: 100 });
    // No error handler of its own, and an answer that takes a moment.
    server.on('upgrade', (_request, socket) => {
      socket.resume().once('end', () => socket.end());
      setImmediate(() => socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n'));
    });
    await attack(port, 3_000);
    await expect.poll(() => connections(server), { timeout: 10_000 }).toBe(0);
    expect(await rawAnswer(port, rawRequest('GET /', closing))).toMatch(/200 OK.*served/s);
  }, 30_000);

  it('closes connections that send nothing more', async () => {
    const { server, port } = await serve({
      headersTimeout: 200,
      requestTimeout: 400,
      keepAliveTimeout: 100,
    });
    await holdHalfOpen(port, 100);
    await expect.poll(() => connections(server)).toBe(0);
    expectError(await rawAnswer(port, 'GET / HT'), 408);
    expectError(await rawAnswer(port, ''), 408);
  }, 20_000);

  it('closes connections whose client does not read', async () => {
    const endless = Buffer.alloc(1024 * 1024);
    const { server, port } = await serve({ idleTimeout: 300 }, (_request, response) => {
      const write = (): void => {
        while (response.write(endless));
        response.once('drain', write);
      };
      write();
    });
    const clients = Array.from({ length: 20 }, () => deafClient(port));
    await expect.poll(() => connections(server)).toBe(20);
    await expect.poll(() => connections(server), { timeout: 5_000 }).toBe(0);
    for (const client of clients) client.destroy();
  });
});
