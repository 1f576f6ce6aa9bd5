import { createServer, type RequestListener, type Server } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { type WebSocket as Socket, WebSocketServer } from 'ws';
import { type Edge, startEdge } from './edge.js';
import { freePort } from './ports.js';

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

async function handshake(port: number, path: string, headers = ''): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
          'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
    });
    let text = '';
    socket.on('data', (bytes) => (text += bytes.toString()));
    socket.on('close', () => resolve(text));
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

  it('tells the gateway the client address itself and drops what the client claims', async () => {
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

    it('answers a handshake elsewhere with 404', async () => {
      await open([]);
      await expect(handshake(edge.port, '/api/v1/mentors')).resolves.toMatch(/^HTTP\/1\.1 404 /);
    });
  });
});
