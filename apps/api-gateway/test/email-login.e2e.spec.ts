import { ApplicationError, EmailLogin } from '@mentorhub/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ada, respond, startSystem, type System, token } from './fixture.js';

const path = '/api/users/email-login';

const signedIn = {
  access: 'access',
  refresh: 'refresh',
  user: {
    id: 7,
    email: 'ada@example.com',
    first_name: 'Ada',
    last_name: 'Lovelace',
    user_name: 'ada',
    role: 'mentor_mentee' as const,
    is_mentor: true,
    is_mentee: true,
    approval_status: 'approved' as const,
  },
  redirect_to: '/community/mentorship',
};

/** What identity got. */
let received: object[];
let isTrusted: boolean;

const identity = [
  respond(EmailLogin.request, (_, request) => {
    received.push(request);
    return isTrusted ? signedIn : { detail: 'A mail is on its way.', expires_in: 600 };
  }),
  respond(EmailLogin.verify, (_, request) => {
    received.push(request);
    if (request.browser_token !== null) return signedIn;
    throw new ApplicationError('INVALID_CODE', 'The code is wrong.');
  }),
  respond(EmailLogin.requestReauthentication, ({ user_id }) => {
    received.push({ user_id });
    return { detail: 'A mail with a code is on its way.', expires_in: 600 };
  }),
];

let system: System;
let overHttps: System;

beforeAll(async () => {
  system = await startSystem(identity);
  overHttps = await startSystem(identity, { PUBLIC_URL: 'https://mentorhub.example' });
});
beforeEach(() => {
  received = [];
  isTrusted = false;
});
afterAll(async () => {
  await system.close();
  await overHttps.close();
});

function post(
  to: string,
  body: object,
  headers: Record<string, string> = {},
  on = system,
): Promise<Response> {
  return on.fetch(to, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

const email = 'ada@example.com';

/** The pair that a browser sends back. */
function cookieOf(response: Response): string {
  return response.headers.get('set-cookie')?.split(';')[0] ?? '';
}

describe('a sign-in with an email address alone', () => {
  it('is bound to the browser by a cookie that no script and no other site uses', async () => {
    const response = await post(path, { email });
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({ detail: expect.any(String), expires_in: 600 });
    expect(response.headers.get('set-cookie')).toMatch(
      /^email_login=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    const secret = cookieOf(response).split('=')[1];
    expect(received[0]).toMatchObject({ email, browser_token: secret });

    const verified = await post(
      `${path}/verify`,
      { email, code: '123456' },
      { cookie: cookieOf(response) },
    );
    expect(verified.status).toBe(200);
    expect(await verified.json()).toEqual(signedIn);
    expect(received[1]).toMatchObject({ email, code: '123456', browser_token: secret });
    expect(verified.headers.get('set-cookie')).toContain('email_login=; Max-Age=0');
  });

  it('has a cookie over HTTPS that only this host can set', async () => {
    const response = await post(path, { email }, {}, overHttps);
    expect(response.headers.get('set-cookie')).toMatch(
      /^__Host-email_login=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    );
    await post(
      `${path}/verify`,
      { token: 'x' },
      { cookie: cookieOf(response).replace('__Host-', '') },
      overHttps,
    );
    expect(received[1]).toMatchObject({ token: 'x', browser_token: null });
  });

  it('keeps the secret of a browser that asks again, so that the mail on its way stays valid', async () => {
    const first = await post(path, { email });
    const again = await post(path, { email }, { cookie: `theme=dark; ${cookieOf(first)}` });
    expect(cookieOf(again)).toBe(cookieOf(first));
    const stranger = await post(path, { email });
    expect(cookieOf(stranger)).not.toBe(cookieOf(first));
  });

  it.each(['', 'email_login=', 'email_login=short', `email_login=${'a'.repeat(200)}`, 'other=x'])(
    'is refused with the cookie “%s”',
    async (cookie) => {
      const response = await post(`${path}/verify`, { email, code: '123456' }, { cookie });
      expect(response.status).toBe(422);
      expect(await response.json()).toMatchObject({ code: 'INVALID_CODE' });
      expect(received).toEqual([expect.objectContaining({ browser_token: null })]);
    },
  );

  it('is not completed by following a link: a GET reaches no service', async () => {
    for (const to of [`${path}/verify?token=x`, `${path}?token=x`]) {
      expect((await system.fetch(to)).status).toBe(404);
      expect((await system.fetch(to, { method: 'HEAD' })).status).toBe(404);
    }
    expect(received).toEqual([]);
  });

  it('takes neither the secret of the browser nor other fields from the body', async () => {
    const response = await post(path, { email, browser_token: 'x'.repeat(43) });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ errors: [{ field: 'browser_token' }] });
    const wrong = await post(`${path}/verify`, { email: 'ada', code: '12345' });
    expect(await wrong.json()).toMatchObject({ errors: [{ field: 'email' }, { field: 'code' }] });
    expect(received).toEqual([]);
  });

  it('answers with the tokens at once where addresses are trusted, at an address with a slash as well', async () => {
    isTrusted = true;
    const response = await post(`${path}/`, { email });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(signedIn);
    expect(response.headers.get('set-cookie')).toBeNull();
  });
});

it('a code to prove again who one is is sent to those who are signed in', async () => {
  const to = '/api/v1/auth/reauthenticate/email';
  expect((await system.fetch(to, { method: 'POST' })).status).toBe(401);
  const response = await system.as(await token(), 'POST', to);
  expect(response.status).toBe(202);
  expect(received).toEqual([{ user_id: ada.user_id }]);
});
