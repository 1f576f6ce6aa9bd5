import { connect, type Socket } from 'node:net';
import type { RunningGateway } from '@mentorhub/service-kit/gateway';
import { ActorSocket } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { address, startWorld, type World } from './harness.js';

let world: World;

beforeAll(async () => {
  world = await startWorld('chat_gateway_limits');
  await world.startChat();
});
afterAll(() => world.stop());

/** Tries to connect as a client behind the proxy of this machine; resolves to the HTTP status, 101 when accepted. */
function knock(
  gateway: RunningGateway,
  clientAddress: string,
  query = '',
): Promise<{ status: number; retryAfter?: string; code?: string; socket: WebSocket }> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${address(gateway)}${query}`, {
      headers: { 'X-Forwarded-For': clientAddress },
    });
    socket.on('open', () => resolve({ status: 101, socket }));
    socket.on('unexpected-response', (_request, response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          retryAfter: response.headers['retry-after'],
          code: (JSON.parse(text) as { code: string }).code,
          socket,
        }),
      );
    });
    socket.on('error', reject);
  });
}

function closing(socket: WebSocket): Promise<number> {
  return new Promise((resolve) => socket.once('close', resolve));
}

describe('limits', () => {
  it('refuse one more connection of an address with 429, until one is gone', async () => {
    const gateway = await world.startGateway({ WS_CONNECTIONS_PER_ADDRESS: '2' });
    const ticket = (user: number) => `?ticket=${world.ticketFor(user)}`;
    const first = await knock(gateway, '192.0.2.1', ticket(1));
    const second = await knock(gateway, '192.0.2.1', ticket(2));
    expect([first.status, second.status]).toEqual([101, 101]);

    expect(await knock(gateway, '192.0.2.1', ticket(3))).toMatchObject({
      status: 429,
      code: 'RATE_LIMITED',
      retryAfter: expect.any(String),
    });
    const other = await knock(gateway, '192.0.2.2', ticket(4));
    expect(other.status).toBe(101);
    first.socket.close();
    await closing(first.socket);

    await expect.poll(async () => (await knock(gateway, '192.0.2.1', ticket(5))).status).toBe(101);
  });

  it('refuse those who have not signed in: 429 for an address, 503 in all; signing in makes room', async () => {
    const gateway = await world.startGateway({
      WS_UNAUTHENTICATED: '2',
      WS_UNAUTHENTICATED_PER_ADDRESS: '1',
    });
    const first = await knock(gateway, '192.0.2.1');
    expect(await knock(gateway, '192.0.2.1')).toMatchObject({ status: 429 });
    const second = await knock(gateway, '192.0.2.2');
    expect([first.status, second.status]).toEqual([101, 101]);
    expect(await knock(gateway, '192.0.2.3')).toMatchObject({ status: 503, code: 'OVERLOADED' });
    const invited = await knock(gateway, '192.0.2.3', `?ticket=${world.ticketFor(6)}`);
    expect(invited.status).toBe(101);

    const welcomed = new Promise((resolve) => first.socket.once('message', resolve));
    first.socket.send(JSON.stringify({ type: 'auth', token: await world.tokenFor(7) }));
    await welcomed;
    const third = await knock(gateway, '192.0.2.1');
    expect(third.status).toBe(101);
    for (const { socket } of [first, second, third, invited]) socket.terminate();
  });

  it('count connections that are reset in the middle of their handshake, and forget them', async () => {
    const gateway = await world.startGateway({ WS_CONNECTIONS: '20' });
    const { port } = new URL(gateway.url);
    const head = [
      'GET /ws/chat HTTP/1.1',
      'Host: localhost',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      '\r\n',
    ].join('\r\n');
    for (let round = 0; round < 10; round++) {
      const sockets = await Promise.all(
        Array.from({ length: 20 }, () => {
          return new Promise<Socket>((resolve) => {
            const socket = connect(Number(port), '127.0.0.1', () => {
              socket.write(head, () => resolve(socket));
            });
            socket.on('error', () => undefined);
          });
        }),
      );
      for (const socket of sockets) socket.resetAndDestroy();
    }
    await expect
      .poll(async () => {
        const { status, socket } = await knock(
          gateway,
          '192.0.2.9',
          `?ticket=${world.ticketFor(8)}`,
        );
        socket.terminate();
        return status;
      })
      .toBe(101);
  });

  it.each(['ping', 'pong'] as const)(
    'close a flood of %ss with 4429, and nobody else',
    async (kind) => {
      const gateway = await world.startGateway({ WS_CONTROL_FRAMES_PER_10_SECONDS: '20' });
      const flood = await knock(gateway, '192.0.2.1', `?ticket=${world.ticketFor(9)}`);
      const calm = await world.socketOf(9, gateway);
      const closed = closing(flood.socket);
      for (let number = 0; number < 20; number++) flood.socket[kind]();
      calm.send({ type: 'ping' });
      await calm.frame('pong');
      expect(flood.socket.readyState).toBe(WebSocket.OPEN);
      for (let number = 0; number < 100; number++) flood.socket[kind]();
      expect(await closed).toBe(4429);
      expect(calm.closed).toBeUndefined();
      calm.close();
    },
  );

  it('close a frame in very many pieces with 1008', async () => {
    const gateway = await world.startGateway();
    const { socket } = await knock(gateway, '192.0.2.1', `?ticket=${world.ticketFor(10)}`);
    const closed = closing(socket);
    socket.send('{"type":"ping"', { fin: false });
    for (let number = 0; number < 100; number++) socket.send('', { fin: false });
    expect(await closed).toBe(1008);
  });

  it('answer one resume too many with rate_limited, and go on with the connection', async () => {
    const gateway = await world.startGateway({ WS_RESUMES_PER_MINUTE: '3' });
    const socket = await ActorSocket.open(`${address(gateway)}?ticket=${world.ticketFor(11)}`);
    const { epoch } = await socket.frame('welcome');
    for (let number = 0; number < 4; number++) socket.send({ type: 'resume', epoch, offset: 0 });
    expect(await socket.frame('error')).toMatchObject({ code: 'rate_limited' });
    expect(socket.frames.filter(({ type }) => type === 'resumed')).toHaveLength(3);
    socket.send({ type: 'ping' });
    await socket.frame('pong');
    socket.close();
  });
});
