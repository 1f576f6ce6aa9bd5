import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { System } from '@mentorhub/local-system';
import { ActorSocket, eventually } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startedSystem } from './started-system.js';

interface Tokens {
  access_token: string;
  refresh_token: string;
}

/** How long a sign-out may take until every gateway knows it, in milliseconds. */
const limitMs = 1000;
const password = 'gondel wiese rabe';
const taskRunner = fileURLToPath(new URL('../../../tools/bootstrap/task.mjs', import.meta.url));

async function send(
  gateway: string,
  method: string,
  path: string,
  { token, body }: { token?: string; body?: object } = {},
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(new URL(`/api/v1${path}`, gateway), {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': 'application/json' }),
    },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text && (JSON.parse(text) as unknown) };
}

describe('with two replicas of every gateway and of identity', () => {
  let system: System;
  let dataDirectory: string;
  let stop: () => Promise<void>;
  let people = 0;

  beforeAll(async () => {
    const replicas = { 'api-gateway': 2, 'chat-gateway': 2, identity: 2 };
    ({ system, stop, dataDirectory } = await startedSystem({ replicas }));
  }, 180_000);
  afterAll(() => stop());

  async function signIn(email: string): Promise<Tokens> {
    const login = { email, password };
    const { status, body } = await send(system.urls.edge, 'POST', '/auth/login', { body: login });
    expect(status).toBe(200);
    return body as Tokens;
  }

  async function register(): Promise<string> {
    people += 1;
    const email = `leaving${people}@example.com`;
    const account = { email, password, full_name: 'Ada Lovelace', role: 'student' };
    const answer = await send(system.urls.edge, 'POST', '/auth/register', { body: account });
    expect(answer.status).toBe(201);
    return email;
  }

  /** A socket on each gateway, all with one session. */
  function socketsOf({ access_token }: Tokens): Promise<ActorSocket[]> {
    return Promise.all(
      system.urls.chatGateways.map(async (gateway) => {
        const url = `${gateway.replace('http', 'ws')}/ws/chat?token=${access_token}`;
        const socket = await ActorSocket.open(url);
        await socket.frame('welcome');
        return socket;
      }),
    );
  }

  async function statuses({ access_token: token }: Tokens): Promise<number[]> {
    const answers = system.urls.apiGateways.map((gateway) =>
      send(gateway, 'GET', '/users/me', { token }),
    );
    return (await Promise.all(answers)).map(({ status }) => status);
  }

  /** How long an act takes to reach every gateway, from its answer on. */
  async function timeToEnd(session: Tokens, act: () => Promise<unknown>): Promise<number> {
    const sockets = await socketsOf(session);
    expect(await statuses(session)).toEqual([200, 200]);
    await act();
    const began = performance.now();
    await eventually('every gateway to refuse the session', async () =>
      (await statuses(session)).every((status) => status === 401) ? true : undefined,
    );
    await eventually('every socket to be closed', () =>
      sockets.every(({ closed }) => closed) ? true : undefined,
    );
    const took = performance.now() - began;
    expect(sockets.map(({ closed }) => closed?.code)).toEqual([4401, 4401]);
    return took;
  }

  it.each<[string, (own: Tokens, other: Tokens) => Promise<{ status: number }>]>([
    ['a sign-out', ({ access_token: token }) => send(first(), 'POST', '/auth/logout', { token })],
    [
      'a sign-out of all devices by another one',
      (_, { access_token: token }) => send(first(), 'POST', '/auth/logout-all', { token }),
    ],
    [
      'a sign-out of the device by another one',
      async (_, { access_token: token }) => {
        const { body } = await send(first(), 'GET', '/auth/sessions', { token });
        const { items } = body as { items: { id: number; current: boolean }[] };
        const id = items.find(({ current }) => !current)?.id;
        return send(first(), 'DELETE', `/auth/sessions/${id}`, { token });
      },
    ],
    [
      'a sign-out of all others by another device',
      (_, { access_token: token }) => send(first(), 'DELETE', '/auth/sessions', { token }),
    ],
  ])('%s reaches all of them within a second, and closes the WebSockets', async (_what, act) => {
    const email = await register();
    const own = await signIn(email);
    const other = await signIn(email);
    const took = await timeToEnd(own, async () => {
      expect((await act(own, other)).status).toBe(204);
    });
    expect(took).toBeLessThan(limitMs);
  });

  it('a gateway that starts later knows who was signed out before', async () => {
    const session = await signIn(await register());
    const { access_token: token } = session;
    expect((await send(first(), 'POST', '/auth/logout', { token })).status).toBe(204);
    for (const name of ['api-gateway', 'chat-gateway'] as const) await system.restart(name);
    await system.ready();
    expect(await statuses(session)).toEqual([401, 401]);
    for (const gateway of system.urls.chatGateways) {
      const url = `${gateway.replace('http', 'ws')}/ws/chat?token=${token}`;
      await expect(ActorSocket.open(url)).rejects.toThrow('No WebSocket');
    }
  }, 60_000);

  it('npm run keys:rotate -- --now ends every access token within a second, and refreshing goes on', async () => {
    const session = await signIn(await register());
    expect(await statuses(session)).toEqual([200, 200]);
    const sockets = await socketsOf(session);
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [taskRunner, 'identity', 'rotate-keys', '--now'],
      { env: { PATH: process.env['PATH'], DATA_DIRECTORY: dataDirectory }, timeout: 60_000 },
    );
    const began = performance.now();
    expect(stdout).toMatch(/signs access tokens from .*\n(?:.*\n)*Key .* is withdrawn\./);
    await eventually('every gateway to refuse the old key', async () =>
      (await statuses(session)).every((status) => status === 401) ? true : undefined,
    );
    const codes = await Promise.all(sockets.map((socket) => socket.closing()));
    expect(codes.map(({ code }) => code)).toEqual([4401, 4401]);
    expect(performance.now() - began).toBeLessThan(limitMs);
    const renewed = await eventually('a token of the new key', async () => {
      const { refresh_token } = session;
      const answer = await send(first(), 'POST', '/auth/refresh', { body: { refresh_token } });
      expect(answer.status).toBe(200);
      const tokens = answer.body as Tokens;
      return (await statuses(tokens)).every((status) => status === 200) ? tokens : undefined;
    });
    expect(await statuses(renewed)).toEqual([200, 200]);
  }, 90_000);

  function first(): string {
    return system.urls.apiGateways[0]!;
  }
});
