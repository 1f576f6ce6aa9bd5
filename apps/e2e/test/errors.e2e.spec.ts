import { type OutgoingHttpHeaders, request } from 'node:http';
import type { System } from '@mentorhub/local-system';
import { Actor, ActorSocket, mailTo } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { story } from '../src/story.js';
import { admin, startedSystem } from './started-system.js';

interface ErrorBody {
  detail: string;
  status_code: number;
  code: string;
  errors?: { field: string; message: string }[];
  request_id: string;
}

describe('the system, misused and broken', () => {
  let system: System;
  let stop: () => Promise<void>;
  let person: Actor;

  beforeAll(async () => {
    ({ system, stop } = await startedSystem());
    person = await Actor.signedIn(system.urls.edge, 'admin', admin);
  }, 180_000);

  afterAll(() => stop());

  /** Sends raw bytes and checks the one error format. */
  async function expectRefusal(
    path: string,
    init: RequestInit,
    status: number,
  ): Promise<ErrorBody> {
    const response = await fetch(new URL(path, system.urls.edge), init);
    const body = (await response.json()) as ErrorBody;
    expect(response.status).toBe(status);
    expect(body.status_code).toBe(status);
    expect(body.detail).toMatch(/\w/);
    expect(body.code).toMatch(/^[A-Z_]+$/);
    expect(body.errors).toBeInstanceOf(Array);
    expect(body.request_id).toBe(response.headers.get('x-request-id'));
    return body;
  }

  const json = { 'content-type': 'application/json' };
  const login = '/api/v1/auth/login';

  it('answers malformed JSON with 400', async () => {
    await expectRefusal(login, { method: 'POST', headers: json, body: '{"email": ' }, 400);
  });

  it('names an unknown field, and every field of a wrong type', async () => {
    const unknown = JSON.stringify({ email: 'a@b.example', password: 'x', admin: true });
    const { errors } = await expectRefusal(
      login,
      { method: 'POST', headers: json, body: unknown },
      422,
    );
    expect(errors?.map(({ field }) => field)).toEqual(['admin']);

    const wrong = JSON.stringify({ email: 7, password: ['x'] });
    const mistakes = await expectRefusal(
      login,
      { method: 'POST', headers: json, body: wrong },
      422,
    );
    expect(mistakes.errors?.map(({ field }) => field)).toEqual(['email', 'password']);
  });

  it('refuses a body of 20 MB', async () => {
    const body = JSON.stringify({ email: 'a@b.example', password: 'x'.repeat(20_000_000) });
    await expectRefusal(login, { method: 'POST', headers: json, body }, 413);
  });

  it('answers an unknown route with 404 and a bad token with 401', async () => {
    await expectRefusal('/api/v1/nowhere', {}, 404);
    await expectRefusal('/api/v1/users/me', { headers: { authorization: 'Bearer nonsense' } }, 401);
    await expectRefusal('/api/v1/users/me', {}, 401);
  });

  /** What a request that names another host is answered with; `fetch` would not send such a Host. */
  function postNaming(
    url: string,
    headers: OutgoingHttpHeaders,
    body: object,
  ): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const sent = request(url, { method: 'POST', headers: { ...json, ...headers } }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      sent.on('error', reject).end(JSON.stringify(body));
    });
  }

  it.each([
    { host: 'evil.example' },
    { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
    { forwarded: 'host=evil.example;proto=https', 'x-original-host': 'evil.example' },
    { origin: 'https://evil.example', referer: 'https://evil.example/' },
  ])('mails links to nowhere but PUBLIC_URL, whatever a request names: %o', async (headers) => {
    const gateway = system.urls.apiGateways[0]!;
    for (const [index, base] of [system.urls.edge, gateway].entries()) {
      const name = `${Object.keys(headers)[0]}-${index}`.replaceAll('-', '.');
      const email = `${name}@hosts.example`;
      const password = 'gondel wiese rabe';
      const registration = { email, password, full_name: 'Ada', role: 'student' };
      expect(await postNaming(`${base}/api/v1/auth/register`, headers, registration)).toBe(201);
      expect(await postNaming(`${base}/api/v1/email/forgot-password`, headers, { email })).toBe(
        200,
      );
      const mails = [
        await mailTo(system.urls.edge, email, /verify-email#token=/),
        await mailTo(system.urls.edge, email, /reset-password#token=/),
      ];
      for (const { text } of mails) {
        expect(text.match(/https?:\/\/[^/\s]+/g)).toEqual([system.urls.edge]);
        expect(text).not.toContain('evil');
      }
    }
  });

  it('answers broken frames on the WebSocket and keeps the socket open', async () => {
    const socket = await person.openSocket();
    socket.sendRaw('{"type":');
    await socket.frame('error', { code: 'malformed' });
    socket.send({ type: 'dance' });
    await socket.frame('error', { code: 'unknown_type' });
    socket.send({ type: 'message', recipient_id: 1_000_000, content: 'Hello?', client_id: 'x' });
    await socket.frame('error', { code: 'not_found', client_id: 'x' });
    socket.send({ type: 'message', recipient_id: 'you', content: 'Hello?', client_id: 'y' });
    await socket.frame('error', { code: 'validation', client_id: 'y' });
    socket.send({ type: 'ping' });
    await socket.frame('pong');
    socket.sendRaw('x'.repeat(20_000));
    expect((await socket.closing()).code).toBe(1009);
  });

  it('refuses a WebSocket with a wrong ticket at the handshake', async () => {
    const address = system.urls.edge.replace(/^http/, 'ws');
    await expect(ActorSocket.open(`${address}/ws/chat?ticket=wrong`)).rejects.toThrow(
      'No WebSocket',
    );
  });

  const routes = {
    identity: '/api/v1/users/me',
    mentorship: '/api/v1/mentors',
    chat: '/api/v1/messages/chats',
    notifications: '/api/v1/notifications',
    payments: '/api/v1/payments/history',
  } as const;
  const services = Object.keys(routes) as (keyof typeof routes)[];

  it.each(services)(
    'answers 503 in the error format while %s is down, and recovers',
    async (service) => {
      await system.kill(service);
      const others = services.filter((name) => name !== service);
      let response: Response | undefined;
      const ask = async (): Promise<number | undefined> => {
        response = await fetch(new URL(routes[service], system.urls.edge), {
          headers: { authorization: `Bearer ${person.accessToken}` },
          signal: AbortSignal.timeout(200),
        }).catch(() => undefined);
        return response?.status;
      };
      // Until nats-server knows as well that nobody listens, a request waits for its deadline.
      await expect.poll(ask).toBe(503);
      const body = (await response?.json()) as ErrorBody;
      expect(body).toMatchObject({ status_code: 503, request_id: expect.any(String) as string });
      expect(response?.headers.get('retry-after')).toMatch(/^\d+$/);
      for (const other of others) await person.get(routes[other], { expect: 200 });

      await system.ready(service);
      await person.get(routes[service], { expect: 200 });
    },
  );

  it('serves those who are signed in while identity does not answer', async () => {
    const friend = new Actor(system.urls.edge, 'friend');
    const credentials = { email: 'friend@errors.example', password: 'the password of somebody' };
    const account = { ...credentials, full_name: 'Friend', role: 'student' };
    await friend.post('/api/v1/auth/register', account);
    await friend.signIn(credentials);
    const message = { recipient_id: friend.userId, text: 'Before.' };
    await person.post('/api/v1/messages', message);
    const address = `${system.urls.edge.replace(/^http/, 'ws')}/ws/chat?token=`;
    const earlier = await ActorSocket.open(`${address}${person.accessToken}`);
    await earlier.frame('welcome');
    const pid = system.apps('identity')[0]!.pid!;
    // Stopped, and not ended, so that it is not started again.
    process.kill(pid, 'SIGSTOP');
    try {
      // A new connection, with a token that its gateway has not seen.
      const socket = await ActorSocket.open(`${address}${friend.accessToken}`);
      await socket.frame('welcome');
      await person.post('/api/v1/messages', { ...message, text: 'Meanwhile.' });
      await socket.frame('message', { content: 'Meanwhile.' });
      for (const actor of [person, friend]) {
        for (const other of services.filter((name) => name !== 'identity')) {
          await actor.get(routes[other], { expect: 200 });
        }
        await actor.get('/api/v1/sessions', { expect: 200 });
      }
      await person.get('/api/v1/admin/mentors', { expect: 200 });
      expect(earlier.closed).toBeUndefined();
      for (const open of [socket, earlier]) open.close();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await friend.get(routes.identity, { expect: 200 });
  });

  it('misses no acknowledged message when chat is killed while people write', async () => {
    const recipient = new Actor(system.urls.edge, 'recipient');
    const credentials = {
      email: 'recipient@errors.example',
      password: 'the password of somebody',
    };
    await recipient.post('/api/v1/auth/register', {
      ...credentials,
      full_name: 'Recipient',
      role: 'student',
    });
    await recipient.signIn(credentials);

    const acknowledged = new Set<number>();
    const failed: { status: number; body: ErrorBody }[] = [];
    const acknowledgedAgain = new Set<number>();
    let chatId = 0;
    const write = async (text: string): Promise<void> => {
      const response = await fetch(new URL('/api/v1/messages', system.urls.edge), {
        method: 'POST',
        headers: { ...json, authorization: `Bearer ${person.accessToken}` },
        body: JSON.stringify({ recipient_id: recipient.userId, text }),
      });
      const body = (await response.json()) as ErrorBody & { id: number; chat_id: number };
      if (response.status === 201) {
        acknowledged.add(body.id);
        chatId = body.chat_id;
        if (failed.length > 0) acknowledgedAgain.add(body.id);
      } else {
        failed.push({ status: response.status, body });
      }
    };
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; acknowledgedAgain.size < 200; n += 1) await write(`${writer}-${n}`);
    });
    await expect.poll(() => acknowledged.size, { timeout: 10_000 }).toBeGreaterThan(100);
    expect(failed).toEqual([]);
    await system.kill('chat');
    // New ones are turned away at once, as nobody listens; what was in hand gets no answer in time.
    const late: Promise<void>[] = [];
    await expect
      .poll(() => {
        late.push(write(`late-${late.length}`));
        return failed.map(({ body }) => body.code);
      })
      .toContain('SERVICE_UNAVAILABLE');
    await Promise.all([...writers, ...late]);
    const documented = { SERVICE_UNAVAILABLE: 503, DEADLINE_EXCEEDED: 504 };
    for (const { status, body } of failed) {
      expect(body.code in documented).toBe(true);
      expect(status).toBe(documented[body.code as keyof typeof documented]);
      expect(body).toMatchObject({ status_code: status, detail: expect.stringMatching(/\w/) });
    }

    const stored = new Set<number>();
    for (let before = Number.MAX_SAFE_INTEGER; ;) {
      const page = await recipient.get<{ items: { id: number }[]; has_more: boolean }>(
        `/api/v1/messages/chats/${chatId}?limit=100&before=${before}`,
      );
      for (const { id } of page.items) stored.add(id);
      if (!page.has_more) break;
      before = page.items[0]!.id;
    }
    expect([...acknowledged].filter((id) => !stored.has(id))).toEqual([]);
  }, 60_000);

  it('loses nothing when nats-server is killed and its store wiped', async () => {
    await system.nats!.kill();
    await expectRefusal('/api/v1/mentors', {}, 503);
    await system.nats!.restart({ wipe: true });
    await system.ready();
    const scenes = story({ baseUrl: system.urls.edge, admin });
    for (const scene of scenes) await expect(scene.play()).resolves.toBeUndefined();
  }, 90_000);

  it('recovers by itself after PostgreSQL was restarted', async () => {
    await system.postgres!.restart();
    await system.ready();
    await expect
      .poll(() => person.get('/api/v1/users/me').then(({ id }) => id))
      .toBe(person.userId);
    for (const path of Object.values(routes)) await person.get(path, { expect: 200 });
  }, 60_000);
});
