import { ApplicationError, Providers, type Returned } from '@mentorhub/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ada, respond, startSystem, type System, token } from './fixture.js';

const browserToken = 'b'.repeat(43);
const visit = { authorization_url: 'https://id.example/authorize?state=s', expires_in: 600 };
const user = {
  id: 7,
  email: 'ada@example.com',
  username: 'ada',
  full_name: 'Ada',
  role: 'student' as const,
  email_verified: true,
  created_at: '2026-11-25T15:00:00Z',
};
const signedIn = {
  access_token: 'a',
  refresh_token: 'r',
  token_type: 'bearer' as const,
  expires_in: 1800,
  user,
};

let received: Returned[] = [];
let system: System;
let secure: System;

const responders = [
  respond(Providers.start, () => ({ ...visit, browser_token: browserToken })),
  respond(Providers.startLink, () => ({ ...visit, browser_token: browserToken })),
  respond(Providers.signIn, (_, returned) => {
    received.push(returned);
    if (returned.code === 'used') throw new ApplicationError('INVALID_TOKEN', 'Begin again.');
    return signedIn;
  }),
  respond(Providers.link, (_, returned) => void received.push(returned)),
];

beforeAll(async () => {
  system = await startSystem(responders);
  secure = await startSystem(responders, { PUBLIC_URL: 'https://mentorhub.example' });
});
afterAll(() => Promise.all([system.close(), secure.close()]));
afterEach(() => {
  received = [];
});

function post(path: string, body?: object, headers: Record<string, string> = {}, to = system) {
  return to.fetch(`/api/v1/auth/providers/${path}`, {
    method: 'POST',
    headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
    body: body && JSON.stringify(body),
  });
}

describe('the cookie of a visit to a provider', () => {
  it('holds the secret that no script sees, and no answer has it', async () => {
    const response = await post('google/start');
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(visit);
    expect(response.headers.getSetCookie()).toEqual([
      `provider_visit=${browserToken}; Max-Age=600; Path=/; HttpOnly; SameSite=Lax`,
    ]);
  });

  it('is bound to the host and to TLS where there is TLS', async () => {
    const response = await post('google/start', undefined, {}, secure);
    expect(response.headers.getSetCookie()).toEqual([
      `__Host-provider_visit=${browserToken}; Max-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure`,
    ]);
    await post(
      'google/callback',
      { code: 'c', state: 's' },
      { cookie: `provider_visit=${browserToken}` },
      secure,
    );
    expect(received[0]?.browser_token).toBeNull();
  });

  it('reaches identity with what came back, and ends', async () => {
    const cookie = `theme=dark; provider_visit=${browserToken}; other=1`;
    const response = await post('google/callback', { code: 'c', state: 's', iss: 'i' }, { cookie });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(signedIn);
    expect(received).toMatchObject([
      { provider: 'google', code: 'c', state: 's', iss: 'i', browser_token: browserToken },
    ]);
    expect(response.headers.getSetCookie()).toEqual([
      'provider_visit=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax',
    ]);
  });

  it.each([
    undefined,
    'provider_visit=',
    'provider_visit=short',
    `xprovider_visit=${browserToken}`,
  ])('is null to identity when the browser sends %s', async (cookie) => {
    await post(
      'google/callback',
      { code: 'c', state: 's' },
      cookie === undefined ? {} : { cookie },
    );
    expect(received[0]?.browser_token).toBeNull();
  });

  it('is never taken from the body', async () => {
    const body = { code: 'c', state: 's', browser_token: browserToken };
    const response = await post('google/callback', body);
    expect(response.status).toBe(422);
    expect(received).toEqual([]);
  });

  it('links for whoever is signed in', async () => {
    const authorization = `Bearer ${await token()}`;
    const started = await post('google/link', undefined, { authorization });
    expect(started.headers.getSetCookie()).toHaveLength(1);
    const cookie = `provider_visit=${browserToken}`;
    const body = { code: 'c', state: 's' };
    const response = await post('google/link/callback', body, { authorization, cookie });
    expect(response.status).toBe(204);
    expect(received).toMatchObject([{ provider: 'google', browser_token: browserToken }]);
    expect((await post('google/link/callback', body, { cookie })).status).toBe(401);
    expect(ada.user_id).toBe(7);
  });

  it('does not make a page of another site able to finish a sign-in', async () => {
    const response = await system.fetch('/api/v1/auth/providers/google/callback', {
      method: 'POST',
      // What a form of another site can send without asking first.
      headers: { 'content-type': 'text/plain', cookie: `provider_visit=${browserToken}` },
      body: JSON.stringify({ code: 'c', state: 's' }),
    });
    expect(response.status).toBe(415);
    expect(received).toEqual([]);
  });
});

describe('a return from a provider', () => {
  it('that proves nothing is refused in the error format', async () => {
    const response = await post('google/callback', { code: 'used', state: 's' });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ code: 'INVALID_TOKEN', status_code: 422 });
  });

  it('names each field that is missing', async () => {
    const response = await post('google/callback', {});
    expect(response.status).toBe(422);
    const { errors } = (await response.json()) as { errors: { field: string }[] };
    expect(errors.map(({ field }) => field)).toEqual(['code', 'state']);
  });

  it('to a provider that cannot exist is 404', async () => {
    expect((await post('Google/start')).status).toBe(404);
    expect((await post('a'.repeat(33) + '/start')).status).toBe(404);
  });
});
