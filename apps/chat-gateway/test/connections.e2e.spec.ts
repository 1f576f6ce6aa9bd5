import { securityHeaders } from '@mentorhub/http-server';
import {
  attack,
  holdHalfOpen,
  rawAnswer,
  rawHandshake,
  rawRequest,
} from '@mentorhub/http-server-testing';
import type { RunningGateway } from '@mentorhub/service-kit/gateway';
import { ActorSocket } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { address, startWorld, type World } from './harness.js';

let world: World;
let gateway: RunningGateway;

beforeAll(async () => {
  world = await startWorld('chat_gateway_connections');
  await world.startChat();
  gateway = await world.startGateway();
});
afterAll(() => world.stop());

/** Tries an upgrade; resolves to the HTTP answer, 101 when it was accepted. */
function upgrade(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers });
    socket.on('open', () => {
      socket.close();
      resolve({ status: 101, body: undefined });
    });
    socket.on('unexpected-response', (_request, response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }),
      );
    });
    socket.on('error', reject);
  });
}

describe('the door', () => {
  it('lets a ticket in once', async () => {
    const url = `${address(gateway)}?ticket=${world.ticketFor(1)}`;
    const socket = await ActorSocket.open(url);
    expect(await socket.frame('welcome')).toMatchObject({
      user_id: 1,
      heartbeat_seconds: 25,
      offset: 0,
    });
    socket.close();
    expect(await upgrade(url)).toMatchObject({
      status: 401,
      body: {
        status_code: 401,
        code: 'UNAUTHENTICATED',
        errors: [],
        request_id: expect.any(String),
      },
    });
  });

  it('lets a token in, in the first frame or in the address', async () => {
    const inAddress = await ActorSocket.open(
      `${address(gateway)}?token=${await world.tokenFor(2)}`,
    );
    await inAddress.frame('welcome', { user_id: 2 });
    const inFrame = await ActorSocket.open(address(gateway));
    inFrame.send({ type: 'auth', token: await world.tokenFor(2) });
    inFrame.send({ type: 'ping' });
    await inFrame.frame('pong');
    expect(inFrame.frames.map(({ type }) => type)).toEqual(['welcome', 'pong']);
    inAddress.close();
    inFrame.close();
  });

  it('refuses a wrong, an expired and a revoked token before the upgrade', async () => {
    const url = address(gateway);
    expect(await upgrade(`${url}?token=nonsense`)).toMatchObject({ status: 401 });
    expect(await upgrade(`${url}?token=${await world.tokenFor(3, -60)}`)).toMatchObject({
      status: 401,
    });
    const token = await world.tokenFor(4);
    const socket = await ActorSocket.open(`${url}?token=${token}`);
    await socket.frame('welcome');
    world.revoke(4);
    expect(await socket.closing()).toMatchObject({ code: 4401 });
    expect(await upgrade(`${url}?token=${token}`)).toMatchObject({ status: 401 });
  });

  it('takes no token in the address where that is switched off', async () => {
    const strict = await world.startGateway({ WS_QUERY_TOKEN: 'off' });
    expect(await upgrade(`${address(strict)}?token=${await world.tokenFor(2)}`)).toMatchObject({
      status: 401,
    });
    expect(await upgrade(`${address(strict)}?ticket=${world.ticketFor(2)}`)).toMatchObject({
      status: 101,
    });
  });

  it('accepts pages of known origins only', async () => {
    const strict = await world.startGateway({
      PROFILE: 'production',
      PUBLIC_URL: 'https://mentorhub.example',
      ALLOWED_ORIGINS: 'https://app.example',
      HOST: '127.0.0.1',
    });
    const statusFor = async (origin: string) => (await upgrade(address(strict), { origin })).status;
    expect(await statusFor('https://mentorhub.example')).toBe(101);
    expect(await statusFor('https://app.example')).toBe(101);
    expect(await statusFor('https://evil.example')).toBe(403);
    expect(await statusFor('http://localhost:8000')).toBe(403);
    expect(await statusFor('null')).toBe(403);
  });

  it('is at one address', async () => {
    const elsewhere = address(gateway).replace('/ws/chat', '/ws/other');
    expect(await upgrade(elsewhere)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    const plain = await fetch(`${gateway.url}/ws/chat`);
    expect(plain.status).toBe(404);
    expect(await plain.json()).toMatchObject({ code: 'NOT_FOUND', request_id: expect.any(String) });
  });

  it('closes after 4401 when the first frame is no auth, or a wrong one', async () => {
    const impatient = await ActorSocket.open(address(gateway));
    impatient.send({ type: 'ping' });
    expect(await impatient.closing()).toMatchObject({ code: 4401 });
    expect(impatient.frames).toMatchObject([{ type: 'error', code: 'unauthenticated' }]);
    const wrong = await ActorSocket.open(address(gateway));
    wrong.send({ type: 'auth', token: 'nonsense' });
    expect(await wrong.closing()).toMatchObject({ code: 4401 });
    expect(wrong.frames).toMatchObject([{ type: 'error', code: 'unauthenticated' }]);
  });

  it.each(['nonsense', '{"type": "dance"}', '{"type": "auth"}', '{"type": "auth", "token": 7}'])(
    'closes with 4401 at once when the first frame is %s',
    async (text) => {
      const socket = await ActorSocket.open(address(gateway));
      socket.sendRaw(text);
      socket.send({ type: 'auth', token: await world.tokenFor(2) });
      expect(await socket.closing()).toMatchObject({ code: 4401 });
      expect(socket.frames).toMatchObject([{ type: 'error', code: 'unauthenticated' }]);
    },
  );

  it('waits 5 s for the auth frame', async () => {
    const silent = await ActorSocket.open(address(gateway));
    expect(await silent.closing(7000)).toMatchObject({ code: 4401 });
  });

  it('closes when the access token ends', async () => {
    const socket = await ActorSocket.open(
      `${address(gateway)}?token=${await world.tokenFor(5, 2)}`,
    );
    await socket.frame('welcome');
    expect(await socket.closing()).toMatchObject({ code: 4401 });
    expect(socket.frames.at(-1)).toMatchObject({ type: 'error', code: 'unauthenticated' });
  });

  it('closes when the session of its ticket ends', async () => {
    const socket = await ActorSocket.open(`${address(gateway)}?ticket=${world.ticketFor(5, 2)}`);
    await socket.frame('welcome');
    expect(await socket.closing()).toMatchObject({ code: 4401 });
    expect(socket.frames.at(-1)).toMatchObject({ type: 'error', code: 'unauthenticated' });
  });

  it('closes on all gateways within a second of a sign-out, and one that starts later stays shut', async () => {
    const second = await world.startGateway();
    const token = await world.tokenFor(61);
    const other = await ActorSocket.open(`${address(second)}?token=${await world.tokenFor(62)}`);
    const sockets = [
      await ActorSocket.open(`${address(gateway)}?token=${token}`),
      await ActorSocket.open(`${address(second)}?token=${token}`),
      await world.socketOf(61, second),
    ];
    for (const socket of [other, ...sockets]) await socket.frame('welcome');
    const began = performance.now();
    const closed = Promise.all(
      sockets.map(
        (socket) =>
          new Promise<[number, number]>((resolve) => {
            socket.onClose((code) => resolve([code, performance.now() - began]));
          }),
      ),
    );
    world.revoke(61);
    for (const [code, took] of await closed) {
      expect(code).toBe(4401);
      expect(took).toBeLessThan(1000);
    }
    expect(other.closed).toBeUndefined();
    const third = await world.startGateway();
    expect(await upgrade(`${address(third)}?token=${token}`)).toMatchObject({ status: 401 });
    expect(await upgrade(`${address(third)}?ticket=${world.ticketFor(61)}`)).toMatchObject({
      status: 101,
    });
    const late = await ActorSocket.open(`${address(third)}?ticket=${world.ticketFor(61)}`);
    expect(await late.closing()).toMatchObject({ code: 4401 });
  });

  it('closes when signing keys are withdrawn: any of them may have opened it', async () => {
    const sockets = [
      await ActorSocket.open(`${address(gateway)}?token=${await world.tokenFor(63)}`),
      await world.socketOf(64, gateway),
    ];
    for (const socket of sockets) await socket.frame('welcome');
    world.withdrawKeys();
    for (const socket of sockets) {
      expect(await socket.closing()).toMatchObject({ code: 4401 });
      expect(socket.frames.at(-1)).toMatchObject({ type: 'error', code: 'unauthenticated' });
    }
  });

  it('closes the oldest of too many connections of a user', async () => {
    const small = await world.startGateway({ WS_CONNECTIONS_PER_USER: '2' });
    const [first, second] = [await world.socketOf(6, small), await world.socketOf(6, small)];
    const third = await world.socketOf(6, small);
    expect(await first.closing()).toMatchObject({ code: 4409 });
    expect(second.closed).toBeUndefined();
    third.send({ type: 'ping' });
    await third.frame('pong');
  });
});

/** What a client gets that is no WebSocket client. */
function expectRefusal(answer: string, status: number): { detail: string } {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  const error = JSON.parse(body) as { request_id: string; detail: string };
  expect(error).toMatchObject({ status_code: status, errors: [] });
  const headers = head.toLowerCase();
  expect(headers).toContain(`x-request-id: ${error.request_id}`);
  for (const [name, value] of Object.entries(securityHeaders)) {
    expect(headers).toContain(`${name}: ${value}`.toLowerCase());
  }
  return error;
}

describe('what is no handshake', () => {
  const good = rawHandshake();

  it.each([
    ['another method', good.replace('GET', 'POST'), 'GET'],
    ['no version', good.replace(/Sec-WebSocket-Version.*\r\n/, ''), 'Version'],
    ['an old version', good.replace('Version: 13', 'Version: 7'), 'Version'],
    ['no key', good.replace(/Sec-WebSocket-Key.*\r\n/, ''), 'Key'],
    ['a short key', good.replace('dGhlIHNhbXBsZSBub25jZQ==', 'short'), 'Key'],
    [
      'two protocols alike',
      rawHandshake('/ws/chat', 'Sec-WebSocket-Protocol: a,a\r\n'),
      'Protocol',
    ],
    ['a length', rawHandshake('/ws/chat', 'Content-Length: 5\r\n', 'hello'), 'Content-Length'],
    [
      'a body',
      rawHandshake('/ws/chat', 'Transfer-Encoding: chunked\r\n', '0\r\n\r\n'),
      'Content-Length',
    ],
  ])('is answered in the error format, with the fix: %s', async (_what, bytes, named) => {
    const answer = await rawAnswer(
      gateway.port,
      bytes.replace('Upgrade\r\n', 'Upgrade, close\r\n'),
    );
    expect(expectRefusal(answer, 400).detail).toContain(named);
  });

  it('uses up no ticket', async () => {
    const path = `/ws/chat?ticket=${world.ticketFor(31)}`;
    const broken = rawHandshake(path).replace('Version: 13', 'Version: 7');
    expectRefusal(await rawAnswer(gateway.port, broken), 400);
    expect(await upgrade(gateway.url.replace('http', 'ws') + path)).toMatchObject({ status: 101 });
  });

  it.each([
    ['a path that cannot be decoded', rawRequest('GET /ws/%', 'Connection: close\r\n'), 400],
    ['a handshake for such a path', rawHandshake('/ws/%'), 404],
    ['a handshake for what is no path', rawHandshake('//'), 404],
    [
      'another protocol',
      rawRequest('GET /ws/chat', 'Connection: Upgrade, close\r\nUpgrade: h2c\r\n'),
      404,
    ],
    [
      'malformed JSON',
      rawRequest(
        'POST /ws/chat',
        'Connection: close\r\nContent-Type: application/json\r\nContent-Length: 1\r\n',
        '{',
      ),
      400,
    ],
    ['no Host', 'GET /ws/chat HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['an unknown Expect', rawRequest('GET /ws/chat', 'Expect: miracles\r\n'), 417],
    ['OPTIONS', rawRequest('OPTIONS /ws/chat', 'Connection: close\r\n'), 404],
    ['CONNECT', rawRequest('CONNECT example.com:443'), 405],
    ['TLS', '\x16\x03\x01\0\xc8', 400],
  ])('is answered in the error format: %s', async (_what, bytes, status) => {
    expectRefusal(await rawAnswer(gateway.port, bytes), status);
  });

  it('carries headers that protect browsers when it is one', async () => {
    const ticket = world.ticketFor(32);
    const headers = await new Promise<Record<string, unknown>>((resolve) => {
      const socket = new WebSocket(`${address(gateway)}?ticket=${ticket}`);
      socket.once('upgrade', (response) => resolve(response.headers));
      socket.once('open', () => socket.close());
    });
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff' });
    expect(headers['x-request-id']).toMatch(/./);
  });
});

describe('under attack', () => {
  it('the gateway lives, serves and keeps no connection', async () => {
    const attacked = await world.startGateway();
    const server = attacked.app.getHttpServer();
    const open = (): Promise<number> =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      });
    await Promise.all([attack(attacked.port, 3_000), holdHalfOpen(attacked.port, 100)]);
    server.closeIdleConnections();
    await expect.poll(open, { timeout: 10_000 }).toBe(0);
    const socket = await world.socketOf(33, attacked);
    socket.close();
  }, 40_000);
});

describe('frames', () => {
  it('are answered with an error that names the fix, whatever is wrong', async () => {
    const socket = await world.socketOf(11, gateway);
    const expected: [string, string][] = [
      ['{', 'malformed'],
      ['[1]', 'malformed'],
      ['{"content": "no type"}', 'malformed'],
      ['{"type": "dance"}', 'unknown_type'],
      ['{"type": "message", "recipient_id": 12}', 'validation'],
      ['{"type": "message", "recipient_id": 12, "content": "x", "admin": true}', 'validation'],
      ['{"type": "message", "recipient_id": 9999, "content": "x"}', 'not_found'],
      ['{"type": "message", "chat_id": 9999, "content": "x"}', 'not_found'],
      ['{"type": "message", "recipient_id": 11, "content": "x"}', 'validation'],
      ['{"type": "read", "message_id": 99999}', 'not_found'],
    ];
    for (const [text] of expected) socket.sendRaw(text);
    await expect.poll(() => socket.frames.length).toBe(expected.length + 1);
    expect(socket.frames.slice(1).map(({ code }) => code)).toEqual(
      expected.map(([, code]) => code),
    );
    socket.close();
  });

  it('name their client_id in the error', async () => {
    const socket = await world.socketOf(12, gateway);
    socket.send({ type: 'message', recipient_id: 9999, content: 'x', client_id: 'mine' });
    expect(await socket.frame('error', { code: 'not_found' })).toHaveProperty('client_id', 'mine');
    socket.send({ type: 'message', recipient_id: 9999, content: '', client_id: 'other' });
    expect(await socket.frame('error', { code: 'validation' })).toHaveProperty(
      'client_id',
      'other',
    );
    socket.close();
  });

  it('close with 4400 after ten malformed ones in a row', async () => {
    const socket = await world.socketOf(13, gateway);
    for (let time = 0; time < 9; time++) socket.sendRaw('nonsense');
    socket.send({ type: 'ping' });
    await socket.frame('pong');
    for (let time = 0; time < 10; time++) socket.sendRaw('nonsense');
    expect(await socket.closing()).toMatchObject({ code: 4400 });
    expect(socket.frames.filter(({ type }) => type === 'error')).toHaveLength(19);
  });

  it('close with 1009 when one is over 16 KiB', async () => {
    const socket = await world.socketOf(14, gateway);
    socket.sendRaw('x'.repeat(17_000));
    expect(await socket.closing()).toMatchObject({ code: 1009 });
  });

  it('are refused over the rate, and close with 4429 when that goes on', async () => {
    const limited = await world.startGateway({
      WS_MESSAGES_PER_10_SECONDS: '20',
      WS_MESSAGE_BURST: '40',
    });
    const socket = await world.socketOf(15, limited);
    for (let number = 0; number < 100; number++) {
      socket.send({ type: 'message', recipient_id: 16, content: 'x', client_id: `${number}` });
    }
    expect(await socket.closing()).toMatchObject({ code: 4429 });
    const count = (type: string) => socket.frames.filter((frame) => frame.type === type).length;
    expect(count('ack')).toBeGreaterThanOrEqual(40);
    expect(count('ack')).toBeLessThan(50);
    expect(await socket.frame('error', { code: 'rate_limited' })).toHaveProperty('client_id');
  });

  it('count towards the rate also when they are malformed or invalid', async () => {
    // Ten frames at once, and one more every 2 s.
    const limited = await world.startGateway({
      WS_MESSAGES_PER_10_SECONDS: '1',
      WS_MESSAGE_BURST: '2',
    });
    const socket = await world.socketOf(17, limited);
    for (let number = 0; number < 20; number++) {
      socket.sendRaw('nonsense');
      socket.send({ type: 'message', content: 'to nobody', client_id: `${number}` });
    }
    expect(await socket.closing()).toMatchObject({ code: 4429 });
    const refused = socket.frames.slice(11);
    expect(socket.frames.slice(1, 11).map(({ code }) => code)).toEqual(
      Array.from({ length: 5 }, () => ['malformed', 'validation']).flat(),
    );
    expect(refused).toHaveLength(21);
    expect(refused.every(({ code }) => code === 'rate_limited')).toBe(true);
    expect(refused[1]).toHaveProperty('client_id', '5');
  });
});

describe('a slow or silent client', () => {
  it('is closed with 4413 and costs nobody else', async () => {
    const slow = new WebSocket(`${address(gateway)}?ticket=${world.ticketFor(21)}`);
    const closed = new Promise<number>((resolve) => slow.on('close', resolve));
    await new Promise((resolve) => slow.once('message', resolve));
    const quick = await world.socketOf(21, gateway);
    slow.pause();
    const content = 'x'.repeat(4000);
    // More than the buffers of the operating system take, at a pace that the other socket can follow.
    for (let batch = 1; batch <= 100; batch++) {
      for (let number = 0; number < 50; number++) {
        world.signal(21, { type: 'typing', user_id: 22, username: content, chat_id: 1 });
      }
      await quick.frameWhere('the batch', () => quick.frames.length === 1 + batch * 50);
    }
    slow.resume();
    expect(await closed).toBe(4413);
    expect(quick.closed).toBeUndefined();
    quick.close();
  });

  it('is closed after two heartbeats without a sign of life', async () => {
    const lively = await world.startGateway({ WS_HEARTBEAT_SECONDS: '1' });
    const silent = new WebSocket(`${address(lively)}?ticket=${world.ticketFor(23)}`, {
      autoPong: false,
    });
    const closed = new Promise<number>((resolve) => silent.on('close', resolve));
    const answering = await world.socketOf(23, lively);
    expect(await closed).toBe(4408);
    expect(answering.closed).toBeUndefined();
    answering.close();
  });
});
