import {
  Auth,
  type Caller,
  EmailVerification,
  type Locale,
  type MentorDetails,
  Mentors,
  Messages,
  type MessageView,
  Notifications,
  SessionBookings,
  type SessionView,
  type SignedIn,
  type TokenPair,
  Users,
} from '@mentorhub/contracts';
import type { RequestContext } from '@mentorhub/messaging';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ada, respond, startSystem, type System, token } from './fixture.js';

/** With characters and spacing that a parser would not give back. */
const mentor = {
  id: 5,
  description: 'Grüße, 世界 😀 <b>',
  price_per_hour: 3000.1,
  rating: null,
} as MentorDetails;

interface Seen {
  actor: Caller | undefined;
  data: unknown;
  context: RequestContext;
}

let system: System;
let bearer: string;
let seen: Seen[] = [];

const note = (actor: Caller | undefined, data: unknown, context: RequestContext): void => {
  seen.push({ actor, data, context });
};

beforeAll(async () => {
  system = await startSystem([
    respond(Mentors.get, (actor, data, context) => {
      note(actor, data, context);
      return mentor;
    }),
    respond(Mentors.slots, (actor, data, context) => {
      note(actor, data, context);
      return { timezone: 'Europe/Berlin', slots: [] };
    }),
    respond(SessionBookings.book, (actor, data, context) => {
      note(actor, data, context);
      return { id: 42 } as SessionView;
    }),
    respond(SessionBookings.confirm, (actor, data, context) => {
      note(actor, data, context);
      return { id: 42 } as SessionView;
    }),
    respond(Messages.send, (actor, data, context) => {
      note(actor, data, context);
      return { id: 1 } as MessageView;
    }),
    respond(Users.register, (actor, data, context) => {
      note(actor, data, context);
      return { id: 8, email: 'new@example.com' } as never;
    }),
    respond(EmailVerification.verify, (actor, data, context) => {
      note(actor, data, context);
      return { message: 'The email address is verified.', email: 'new@example.com' };
    }),
    respond(Auth.login, (actor, data, context) => {
      note(actor, data, context);
      return { access_token: 'a' } as SignedIn;
    }),
    respond(Auth.refresh, (actor, data, context) => {
      note(actor, data, context);
      return { access_token: 'b' } as TokenPair;
    }),
    respond(Auth.logout, note),
    respond(Notifications.clear, () => ({ count: 3 })),
    respond(Notifications.remove, note),
  ]);
  bearer = await token();
});

afterAll(() => system.close());

beforeEach(() => {
  seen = [];
});

const booking = {
  mentor_id: 1,
  scheduled_at: '2026-11-25T15:00:00Z',
  duration_minutes: 60,
  topic: 'Interview',
};

describe('an answer', () => {
  it("is the service's JSON, byte for byte", async () => {
    const answer = await system.fetch('/api/v1/mentors/5');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(await answer.text()).toBe(JSON.stringify(mentor));
  });

  it('of a creation is 201, and of a change that says nothing 204', async () => {
    expect((await system.as(bearer, 'POST', '/api/v1/sessions', booking)).status).toBe(201);
    const logout = await system.as(bearer, 'POST', '/api/v1/auth/logout');
    expect(logout.status).toBe(204);
    expect(await logout.text()).toBe('');
  });

  it('is the same with a slash at the end', async () => {
    const answer = await system.fetch('/api/v1/mentors/5/');
    expect(await answer.text()).toBe(JSON.stringify(mentor));
  });

  it('to HEAD has the headers alone', async () => {
    const answer = await system.fetch('/api/v1/mentors/5', { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe('');
  });

  it('carries headers that protect browsers', async () => {
    const { headers } = await system.fetch('/api/v1/mentors/5');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('strict-transport-security')).toContain('max-age=31536000');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
  });
});

describe('a fixed word beside an id', () => {
  it('is not read as one', async () => {
    const answer = await system.as(bearer, 'DELETE', '/api/v1/notifications/clear-all');
    expect(await answer.json()).toEqual({ count: 3 });
    for (const path of [
      '/api/v1/payments/history',
      '/api/v1/mentorship/mentors/my_profile/',
      '/api/v1/notifications/unread-count',
      '/api/v1/users/me',
    ]) {
      // Nobody answers these here, which is how we know that they were forwarded.
      expect((await system.as(bearer, 'GET', path)).status).toBe(503);
    }
  });
});

describe('what reaches a service', () => {
  it('is the verified caller, whatever the client claims to be', async () => {
    await system.fetch('/api/v1/mentors/5', {
      headers: {
        caller: '{"user_id":1,"roles":["admin"],"session_id":1}',
        'x-user-id': '1',
        deadline: '1',
        'request-id': 'forged',
        locale: 'ru',
      },
    });
    await system.as(bearer, 'GET', '/api/v1/mentors/5');
    expect(seen.map(({ actor }) => actor)).toEqual([undefined, ada]);
    expect(seen[0]?.context.requestId).not.toBe('forged');
    expect(seen[0]?.context.locale).toBeUndefined();
    expect(seen[0]?.context.deadline).toBeGreaterThan(Date.now());
  });

  it('has the id of the path, never one of the body', async () => {
    const answer = await system.as(bearer, 'POST', '/api/v1/sessions/42/confirm', { id: 43 });
    expect(answer.status).toBe(422);
    await system.as(bearer, 'POST', '/api/v1/sessions/42/confirm', { version: 2 });
    await system.as(bearer, 'POST', '/api/v1/sessions/42/confirm');
    expect(seen.map(({ data }) => data)).toEqual([{ id: 42, version: 2 }, { id: 42 }]);
  });

  it('has numbers and flags of the query as such', async () => {
    await system.fetch('/api/v1/mentors/5/slots?duration_minutes=30&timezone=Europe/Berlin');
    expect(seen[0]?.data).toEqual({ id: 5, duration_minutes: 30, timezone: 'Europe/Berlin' });
  });

  it('has the email address in lower case', async () => {
    await system.fetch('/api/v1/auth/register', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        email: ' New@Example.com ',
        password: 'correct horse battery',
        full_name: 'New',
        role: 'student',
      }),
    });
    expect(seen[0]?.data).toMatchObject({
      email: 'new@example.com',
      // Registrations are limited by network.
      device: { ip: '127.0.0.1' },
    });
  });

  it('has whose session, or which password, proves that a verified account is the own', async () => {
    await system.as(bearer, 'POST', '/api/v1/email/verify-email', { token: 't' });
    const answer = await system.fetch('/api/v1/email/verify-email', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: 't', password: 'correct horse battery' }),
    });
    expect(answer.status).toBe(200);
    expect(seen.map(({ actor, data }) => ({ actor, data }))).toMatchObject([
      { actor: ada, data: { token: 't', device: { ip: '127.0.0.1' } } },
      { actor: undefined, data: { token: 't', password: 'correct horse battery' } },
    ]);
    const invalid = await system.as('no-token', 'POST', '/api/v1/email/verify-email', {
      token: 't',
    });
    expect(invalid.status).toBe(401);
  });

  it.each<[string, Locale | undefined]>([
    ['ru-RU,ru;q=0.9,en;q=0.8', 'ru'],
    ['de,en;q=0.5,ru;q=0.4', 'en'],
    ['de', undefined],
    ['en;q=0, ru', 'ru'],
  ])('has the language of Accept-Language %s', async (header, locale) => {
    await system.fetch('/api/v1/mentors/5', { headers: { 'accept-language': header } });
    expect(seen[0]?.context.locale).toBe(locale);
  });

  it('continues a valid trace and ignores any other', async () => {
    const valid = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    for (const traceparent of [valid, '00-zz', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`]) {
      await system.fetch('/api/v1/mentors/5', { headers: { traceparent } });
    }
    expect(seen.map(({ context }) => context.traceparent)).toEqual([valid, undefined, undefined]);
  });
});

const send = (key: string, path = '/api/v1/sessions', body: object = booking) =>
  system.fetch(path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${bearer}`,
      'content-type': 'application/json',
      'idempotency-key': key,
    },
    body: JSON.stringify(body),
  });

describe('an Idempotency-Key', () => {
  it('is passed on where a route takes one', async () => {
    await send('key one', '/api/v1/sessions');
    await send('key two', '/api/v1/messages', { recipient_id: 1, text: 'Hi' });
    expect(seen.map(({ context }) => context.idempotencyKey)).toEqual(['key one', 'key two']);
  });

  it('is ignored elsewhere', async () => {
    await send('key', '/api/v1/sessions/42/confirm', {});
    expect(seen[0]?.context.idempotencyKey).toBeUndefined();
  });

  it.each([
    ['too long', 'k'.repeat(129)],
    ['not printable ASCII', 'ключ'.replace(/./gu, '\u00e9')],
  ])('is refused when it is %s', async (_what, key) => {
    const answer = await send(key);
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ errors: [{ field: 'Idempotency-Key' }] });
    expect(seen).toEqual([]);
  });
});

describe('X-Request-ID', () => {
  it("is the client's own if it is sane, and reaches the service", async () => {
    const answer = await system.fetch('/api/v1/mentors/5', {
      headers: { 'x-request-id': 'my.request-1_2' },
    });
    expect(answer.headers.get('x-request-id')).toBe('my.request-1_2');
    expect(seen[0]?.context.requestId).toBe('my.request-1_2');
  });

  it.each(['with space', 'x'.repeat(129), '<script>'])(
    'is a fresh one instead of %s',
    async (id) => {
      const answer = await system.fetch('/api/v1/nothing', { headers: { 'x-request-id': id } });
      expect(answer.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/);
    },
  );

  it('reaches the service with a body as well', async () => {
    await system.fetch('/api/v1/sessions', {
      method: 'POST',
      headers: {
        authorization: `Bearer ${bearer}`,
        'content-type': 'application/json',
        'x-request-id': 'with-body',
      },
      body: JSON.stringify(booking),
    });
    expect(seen[0]?.context.requestId).toBe('with-body');
  });
});

const login = (headers: Record<string, string> = {}) =>
  system.fetch('/api/v1/auth/login', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': 'Browser/1', ...headers },
    body: JSON.stringify({ email: 'ada@example.com', password: 'secret words' }),
  });

describe('signing in', () => {
  it('forwards the device to identity, with the address the trusted proxy saw', async () => {
    await login();
    await login({ 'x-forwarded-for': '203.0.113.9' });
    await login({ 'x-forwarded-for': '198.51.100.1, 203.0.113.9' });
    expect(seen.map(({ data }) => (data as { device: unknown }).device)).toEqual([
      { user_agent: 'Browser/1', ip: '127.0.0.1' },
      { user_agent: 'Browser/1', ip: '203.0.113.9' },
      { user_agent: 'Browser/1', ip: '203.0.113.9' },
    ]);
  });

  it('works for a client that still sends an old token', async () => {
    const answer = await login({ authorization: 'Bearer old' });
    expect(answer.status).toBe(200);
  });

  it('again takes the refresh token as bearer token or in the body, but not none', async () => {
    await system.as('refresh-1', 'POST', '/api/v1/auth/refresh');
    const refresh = (body: object) =>
      system.fetch('/api/v1/auth/refresh', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    await refresh({ refresh_token: 'refresh-2' });
    expect(seen.map(({ data }) => (data as { refresh_token: string }).refresh_token)).toEqual([
      'refresh-1',
      'refresh-2',
    ]);
    const answer = await refresh({});
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
  });
});

describe('a public resource', () => {
  it('costs 304 while it has not changed', async () => {
    const first = await system.fetch('/api/v1/mentors/5');
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[\w-]+"$/);
    for (const header of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const second = await system.fetch('/api/v1/mentors/5', {
        headers: { 'if-none-match': header },
      });
      expect(second.status).toBe(304);
      expect(second.headers.get('etag')).toBe(etag);
      expect(await second.text()).toBe('');
    }
    const other = await system.fetch('/api/v1/mentors/5', { headers: { 'if-none-match': '"x"' } });
    expect(other.status).toBe(200);
  });

  it('is kept by nobody when it is personal', async () => {
    const answer = await system.as(bearer, 'DELETE', '/api/v1/notifications/clear-all');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('etag')).toBeNull();
  });

  it('is not to be shared once a token was sent', async () => {
    const answer = await system.as(bearer, 'GET', '/api/v1/mentors/5');
    expect(answer.headers.get('cache-control')).toBe('private, no-cache');
    expect(answer.headers.get('vary')).toContain('Authorization');
  });
});

const preflight = (origin: string) =>
  system.fetch('/api/v1/sessions', {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  });

describe('a page of another origin', () => {
  it('may call when its origin is listed', async () => {
    const answer = await preflight('https://app.example');
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
    const call = await system.fetch('/api/v1/mentors/5', {
      headers: { origin: 'https://app.example' },
    });
    expect(call.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(call.headers.get('access-control-expose-headers')).toContain('X-Request-ID');
  });

  it('may not when it is not', async () => {
    const answer = await preflight('https://evil.example');
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });
});
