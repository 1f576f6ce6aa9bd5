import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, type Socket as TcpSocket } from 'node:net';
import { securityHeaders } from '@mentorhub/http-server';
import {
  attack,
  holdHalfOpen,
  rawAnswer,
  rawHandshake,
  rawRequest,
} from '@mentorhub/http-server-testing';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { type WebSocket as Socket, WebSocketServer } from 'ws';
import { type Edge, startEdge } from './edge.js';
import { freePort } from '../ports.js';

const unavailable = {
  detail: expect.stringContaining('Try again') as string,
  status_code: 503,
  code: 'SERVICE_UNAVAILABLE',
  errors: [],
  request_id: expect.stringMatching(/^[\da-f-]{36}$/) as string,
};

async function serve(listener: RequestListener): Promise<{ url: string; server: Server }> {
  const server = createServer(listener);
  const port = await freePort();
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${port}`, server };
}

async function nobody(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`;
}

async function chatGateway(onSocket: (socket: Socket) => void): Promise<string> {
  const { url, server } = await serve((_, response) => response.end());
  new WebSocketServer({ server }).on('connection', onSocket);
  return url;
}

function handshake(port: number, path: string, headers = ''): Promise<string> {
  return rawAnswer(port, rawHandshake(path, headers));
}

function openConnections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

describe('the edge', () => {
  let edge: Edge;

  afterEach(() => edge.close());

  async function open(apiGateways: string[], chatGateways: string[] = []): Promise<void> {
    edge = await startEdge({ port: 0, host: '127.0.0.1', apiGateways, chatGateways });
  }

  it('passes method, path, body and status through', async () => {
    const { url } = await serve((request, response) => {
      response.writeHead(201, { 'content-type': 'text/plain' });
      response.write(`${request.method} ${request.url} `);
      request.pipe(response);
    });
    await open([url]);
    const answer = await fetch(`${edge.url}/api/v1/things?x=1`, { method: 'POST', body: 'body' });
    expect(answer.status).toBe(201);
    await expect(answer.text()).resolves.toBe('POST /api/v1/things?x=1 body');
  });

  it('forwards the client address it sees and drops the one that the client claims', async () => {
    const { url } = await serve((request, response) => {
      response.end(JSON.stringify(request.headers));
    });
    await open([url]);
    const answer = await fetch(`${edge.url}/api`, {
      headers: { 'X-Forwarded-For': '6.6.6.6', 'X-Real-IP': '6.6.6.6', Forwarded: 'for=6.6.6.6' },
    });
    const seen = (await answer.json()) as Record<string, string>;
    expect(seen['x-forwarded-for']).toBe('127.0.0.1');
    expect(JSON.stringify(seen)).not.toContain('6.6.6.6');
  });

  it('answers 503 in the error format while no gateway runs', async () => {
    await open([await nobody()]);
    for (const request of [{}, { method: 'POST', body: 'text' }]) {
      const answer = await fetch(`${edge.url}/api/v1/mentors`, request);
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('1');
      const body = (await answer.json()) as { request_id: string };
      expect(body).toEqual(unavailable);
      expect(answer.headers.get('x-request-id')).toBe(body.request_id);
    }
  });

  it('answers 504 in the error format when a gateway stays silent', async () => {
    const { url } = await serve(() => {});
    edge = await startEdge({
      port: 0,
      host: '127.0.0.1',
      apiGateways: [url],
      chatGateways: [],
      answerTimeoutMs: 100,
    });
    for (const request of [{}, { method: 'POST', body: 'text' }]) {
      const answer = await fetch(`${edge.url}/api/v1/messages`, request);
      expect(answer.status).toBe(504);
      expect(await answer.json()).toMatchObject({ status_code: 504, code: 'DEADLINE_EXCEEDED' });
    }
  });

  it('names its own errors with the request id of the client, if that is a sane one', async () => {
    await open([await nobody()], [await nobody()]);
    const ours = /^[\da-f]{8}-[\da-f-]{27}$/;
    for (const [sent, used] of [
      ['Trace_1.a-b', /^Trace_1\.a-b$/],
      ['x'.repeat(129), ours],
      ['a b', ours],
      ['<b>', ours],
    ] as const) {
      const answer = await fetch(`${edge.url}/api`, { headers: { 'X-Request-ID': sent } });
      const { request_id } = (await answer.json()) as { request_id: string };
      expect(request_id).toMatch(used);
      expect(answer.headers.get('x-request-id')).toBe(request_id);
    }
    for (const path of ['/ws/chat', '/elsewhere']) {
      const answer = await handshake(edge.port, path, 'X-Request-ID: socket-1\r\n');
      expect(answer).toContain('X-Request-ID: socket-1\r\n');
      expect(answer).toContain('"request_id":"socket-1"');
    }
  });

  it('passes on what the client names in Connection as if it had not', async () => {
    const { url } = await serve((request, response) => {
      response.write(JSON.stringify(request.headers));
      request.pipe(response);
    });
    await open([url]);
    const named = 'Connection: close, x-forwarded-for, content-length, x-mine\r\nX-Mine: 1\r\n';
    for (const framing of [
      ['Content-Length: 6\r\n', 'a body'],
      ['Transfer-Encoding: chunked\r\n', '6\r\na body\r\n0\r\n\r\n'],
    ] as const) {
      const request = rawRequest('GET /api', `${named}${framing[0]}`, framing[1]);
      const answer = await rawAnswer(edge.port, request);
      expect(answer).toContain('"x-forwarded-for":"127.0.0.1"');
      expect(answer).toContain('}a body');
      expect(answer).not.toContain('x-mine');
    }
  });

  it('serves REST to a client that asks for another protocol', async () => {
    const { url } = await serve((request, response) => {
      response.end(`upgrade: ${request.headers.upgrade}`);
    });
    await open([url]);
    const headers = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n';
    const answer = await rawAnswer(edge.port, rawRequest('GET /api/v1/mentors', headers));
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*upgrade: undefined$/);
  });

  it('protects browsers on its own answers too', async () => {
    await open([await nobody()]);
    const { 'Content-Security-Policy': policy, ...others } = securityHeaders;
    for (const path of ['/', '/api']) {
      const { headers } = await fetch(`${edge.url}${path}`);
      for (const [name, value] of Object.entries(others)) expect(headers.get(name)).toBe(value);
      expect(headers.get('x-request-id')).toMatch(/./);
      const policies = headers.get('content-security-policy')?.split('; ');
      expect(policies).toEqual(expect.arrayContaining(policy.split('; ')));
    }
  });

  it('takes turns between replicas', async () => {
    const [one, two] = await Promise.all([
      serve((_, response) => response.end('one')),
      serve((_, response) => response.end('two')),
    ]);
    await open([one.url, two.url]);
    const answers = [];
    for (let turn = 0; turn < 4; turn += 1) {
      answers.push(await (await fetch(`${edge.url}/api`)).text());
    }
    expect(answers).toEqual(['one', 'two', 'one', 'two']);
  });

  it('skips a replica that is down', async () => {
    const alive = await serve((_, response) => response.end('alive'));
    await open([await nobody(), alive.url]);
    for (let turn = 0; turn < 3; turn += 1) {
      await expect((await fetch(`${edge.url}/api`)).text()).resolves.toBe('alive');
    }
  });

  it('sends nothing new to a replica that says it is not ready', async () => {
    const draining = await serve((request, response) => {
      response.writeHead(request.url === '/health/ready' ? 503 : 200).end('draining');
    });
    const ready = await serve((_, response) => response.end('ready'));
    edge = await startEdge({
      port: 0,
      host: '127.0.0.1',
      apiGateways: [{ url: draining.url, readyUrl: `${draining.url}/health/ready` }, ready.url],
      chatGateways: [],
    });
    const ask = async (): Promise<string> => (await fetch(`${edge.url}/api`)).text();
    await expect
      .poll(async () => [await ask(), await ask()], { timeout: 3_000 })
      .toEqual(['ready', 'ready']);
  });

  it('refuses a body over the limit, and a client that sends all of it sees why', async () => {
    const { url } = await serve((_, response) => response.end());
    edge = await startEdge({
      port: 0,
      host: '127.0.0.1',
      apiGateways: [url],
      chatGateways: [],
      maxBodyBytes: 1_000_000,
    });
    const body = Buffer.alloc(20_000_000);
    const answer = await fetch(`${edge.url}/api`, { method: 'POST', body });
    expect(answer.status).toBe(413);
    await expect(answer.json()).resolves.toMatchObject({ code: 'BODY_TOO_LARGE' });
  });

  it('shows a page with the addresses at /', async () => {
    await open([]);
    const page = await (await fetch(edge.url)).text();
    expect(page).toContain('href="/docs"');
    expect(page).toContain('href="/dev/mail"');
  });

  it('answers what is not HTTP in the error format', async () => {
    await open([]);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(edge.port, '127.0.0.1', () => socket.write('nonsense\r\n\r\n'));
      socket.once('data', (bytes) => resolve(bytes.toString()));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"MALFORMED_REQUEST"');
  });

  describe('for WebSockets', () => {
    it('connects the client with a chat gateway that runs', async () => {
      const url = await chatGateway((socket) => {
        socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
      });
      await open([], [await nobody(), url]);
      const socket = new WebSocket(`${edge.url.replace('http', 'ws')}/ws/chat?ticket=1`);
      const echoed = await new Promise((resolve, reject) => {
        socket.addEventListener('open', () => socket.send('hello'));
        socket.addEventListener('message', (event) => resolve(event.data));
        socket.addEventListener('error', () => reject(new Error('no connection')));
      });
      expect(echoed).toBe('hello');
      socket.close();
    });

    it('hands the close code of the gateway to the client', async () => {
      const url = await chatGateway((socket) => socket.close(4401, 'expired'));
      await open([], [url]);
      const socket = new WebSocket(`${edge.url.replace('http', 'ws')}/ws/chat`);
      const closed = await new Promise<CloseEvent>((resolve) => {
        socket.addEventListener('close', resolve);
      });
      expect([closed.code, closed.reason]).toEqual([4401, 'expired']);
    });

    it('answers the handshake with 503 in the error format while no chat gateway runs', async () => {
      await open([], [await nobody()]);
      const answer = await handshake(edge.port, '/ws/chat');
      expect(answer).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
      expect(answer).toContain('Retry-After: 1');
      expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toEqual(unavailable);
    });

    it('passes the refusal of a handshake on, whatever its method', async () => {
      const { url, server } = await serve(() => {});
      server.on('upgrade', (request, socket) => {
        socket.end(
          `HTTP/1.1 401 No\r\nContent-Length: 4\r\nX-Method: ${request.method}\r\n\r\nwhy?`,
        );
      });
      await open([], [url]);
      for (const method of ['GET', 'POST']) {
        const answer = await rawAnswer(edge.port, rawHandshake().replace('GET', method));
        expect(answer).toMatch(/^HTTP\/1\.1 401 No\r\n[^]*\r\n\r\nwhy\?$/);
        expect(answer).toContain(`x-method: ${method}\r\n`);
      }
    });

    it('answers 504 when a gateway leaves a handshake without an answer', async () => {
      const { url, server } = await serve(() => {});
      server.on('upgrade', (_request, socket) => socket.on('end', () => socket.destroy()));
      edge = await startEdge({
        port: 0,
        host: '127.0.0.1',
        apiGateways: [],
        chatGateways: [url],
        answerTimeoutMs: 100,
      });
      await expect(handshake(edge.port, '/ws/chat')).resolves.toMatch(/^HTTP\/1\.1 504 /);
    });

    it('closes the client when the gateway resets the connection, and the other way round', async () => {
      const { url, server } = await serve(() => {});
      new WebSocketServer({ server }).on('connection', (socket) => {
        socket.on('error', () => undefined);
        socket.on('message', () => socket.terminate());
      });
      await open([], [url]);
      const toReset = new WebSocket(`${edge.url.replace('http', 'ws')}/ws/chat`);
      const closed = new Promise((resolve) => toReset.addEventListener('close', resolve));
      toReset.addEventListener('open', () => toReset.send('go'));
      await closed;
      await new Promise<void>((resolve) => {
        const client = connect(edge.port, '127.0.0.1', () => client.write(rawHandshake()));
        client.once('data', () => client.resetAndDestroy());
        client.once('close', () => resolve());
      });
      await expect.poll(() => edge.connections()).toBe(0);
      await expect.poll(() => openConnections(server)).toBe(0);
    });

    it.each([
      ['in the middle', (client: TcpSocket) => client.write('go')],
      ['after its client has ended it', (client: TcpSocket) => client.end()],
    ])('lives when a gateway resets a connection %s', async (_when, goOn) => {
      const { url, server } = await serve(() => {});
      server.on('upgrade', (_request, socket: TcpSocket) => {
        for (const event of ['data', 'end']) socket.once(event, () => socket.resetAndDestroy());
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
        );
      });
      await open([], [url]);
      await new Promise<void>((resolve) => {
        const client = connect(edge.port, '127.0.0.1', () => client.write(rawHandshake()));
        client.once('data', () => goOn(client));
        client.once('close', () => resolve());
      });
      await expect.poll(() => edge.connections()).toBe(0);
      expect((await fetch(edge.url)).status).toBe(200);
    });

    it('answers a handshake elsewhere with 404', async () => {
      await open([]);
      await expect(handshake(edge.port, '/api/v1/mentors')).resolves.toMatch(/^HTTP\/1\.1 404 /);
    });
  });

  describe('under attack', () => {
    it('lives, serves and keeps no connection', async () => {
      const { url, server } = await serve((request, response) => request.pipe(response));
      server.keepAliveTimeout = 100;
      new WebSocketServer({ server }).on('connection', (socket) => {
        socket.on('error', () => undefined);
        socket.send('welcome');
      });
      edge = await startEdge({
        port: 0,
        host: '127.0.0.1',
        apiGateways: [url],
        chatGateways: [url],
        headersTimeoutMs: 500,
      });
      await attack(edge.port, 3_000);
      await expect.poll(() => edge.connections(), { timeout: 10_000 }).toBe(0);
      await expect.poll(() => openConnections(server), { timeout: 10_000 }).toBe(0);
      const answer = await fetch(`${edge.url}/api`, { method: 'POST', body: 'still here' });
      await expect(answer.text()).resolves.toBe('still here');
    }, 30_000);

    it('closes connections that send nothing more', async () => {
      const url = await chatGateway((socket) => socket.terminate());
      edge = await startEdge({
        port: 0,
        host: '127.0.0.1',
        apiGateways: [url],
        chatGateways: [url],
        headersTimeoutMs: 200,
      });
      await holdHalfOpen(edge.port, 200);
      await expect.poll(() => edge.connections()).toBe(0);
    }, 20_000);
  });
});
