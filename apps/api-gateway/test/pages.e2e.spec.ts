import { get, type OutgoingHttpHeaders } from 'node:http';
import { hash } from 'node:crypto';
import {
  type CapturedMail,
  Checkout,
  type CheckoutView,
  ApplicationError,
  DevMail,
  Mentors,
  operations,
} from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { respond, startSystem, type System } from './fixture.js';

const checkout: CheckoutView = {
  checkout_id: 'co_abcdef123456',
  description: '<img src=x onerror=alert(1)> & "friends"',
  amount_minor: 300_000,
  currency: 'RUB',
  status: 'pending',
  expires_at: '2026-11-25T15:00:00Z',
};

const mail: CapturedMail = {
  id: '1',
  to: 'ada@example.com',
  subject: '<b>Verify</b>',
  text: 'Open http://localhost:8000/verify-email#token=abc now.',
  html: '<p>…</p>',
  sent_at: '2026-11-25T15:00:00Z',
};

let system: System;
let status: CheckoutView['status'] = 'pending';
let askedFor: string | undefined;

beforeAll(async () => {
  system = await startSystem([
    respond(Checkout.view, (_, { checkout_id }) => {
      if (checkout_id !== checkout.checkout_id) throw ApplicationError.notFound('This checkout');
      return { ...checkout, status };
    }),
    respond(Checkout.complete, (_, { outcome }) => {
      status = outcome === 'succeed' ? 'succeeded' : 'failed';
      return { ...checkout, status };
    }),
    respond(DevMail.list, (_, { to }) => {
      askedFor = to;
      return { items: [mail] };
    }),
    respond(operations('identity').health.check, () => ({
      status: 'up' as const,
      checks: { database: { status: 'up' as const, ms: 1 } },
    })),
  ]);
});

afterAll(() => system.close());

const page = (headers: Record<string, string> = {}) =>
  system.fetch('/checkout/co_abcdef123456', { headers });

describe('the checkout page', () => {
  it('shows the amount due and two buttons, in English', async () => {
    const answer = await page();
    const text = await answer.text();
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(text).toContain('<html lang="en">');
    expect(text).toMatch(/RUB\u00a03,000\.00/);
    expect(text).toContain('value="succeed"');
    expect(text).toContain('value="fail"');
  });

  it('is in Russian for clients that request Russian', async () => {
    const text = await (await page({ 'accept-language': 'ru' })).text();
    expect(text).toContain('<html lang="ru">');
    expect(text).toContain('Оплатить');
    expect(text).toMatch(/3\u00a0000,00\u00a0₽/);
  });

  it('runs no script, neither its own nor one hidden in a description', async () => {
    const answer = await page();
    const text = await answer.text();
    expect(text).not.toMatch(/<script|<img/);
    expect(text).toContain('&lt;img src=x onerror=alert(1)&gt; &amp; &quot;friends&quot;');
    const policy = answer.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
  });

  it('brings a style that its policy allows', async () => {
    const answer = await page();
    const [, style = ''] = /<style>([^]*)<\/style>/.exec(await answer.text()) ?? [];
    const policy = answer.headers.get('content-security-policy');
    expect(policy).toContain(`'sha256-${hash('sha256', style, 'base64')}'`);
  });

  it('leads back to itself after paying and shows the result', async () => {
    const answer = await system.fetch('/checkout/co_abcdef123456', {
      method: 'POST',
      body: new URLSearchParams({ outcome: 'succeed' }),
    });
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe('/checkout/co_abcdef123456');
    const text = await (await page()).text();
    expect(text).toContain('Paid.');
    expect(text).not.toContain('<form');
  });

  it('refuses an outcome that is none of the two', async () => {
    const answer = await system.fetch('/checkout/co_abcdef123456', {
      method: 'POST',
      body: new URLSearchParams({ outcome: 'free' }),
    });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ errors: [{ field: 'outcome' }] });
  });

  it.each(['/checkout/co_unknown123456', '/checkout/1'])('is 404 at %s', async (path) => {
    expect((await system.fetch(path)).status).toBe(404);
  });
});

/** What `/dev/mail.json` is answered with; `fetch` would not send such a Host. */
function statusUnder(headers: OutgoingHttpHeaders): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(new URL('/dev/mail.json', system.url), { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}

describe('captured mails', () => {
  it('are a page whose links can be followed', async () => {
    const text = await (await system.fetch('/dev/mail?to=ada%40example.com')).text();
    expect(askedFor).toBe('ada@example.com');
    expect(text).toContain('href="http://localhost:8000/verify-email#token=abc"');
    expect(text).toContain('&lt;b&gt;Verify&lt;/b&gt;');
  });

  it('are JSON for programs', async () => {
    const answer = await system.fetch('/dev/mail.json');
    expect(await answer.json()).toEqual({ items: [mail] });
  });

  it.each(['localhost:8000', '127.0.0.1', '[::1]:8000', 'LOCALHOST'])(
    'are shown under the known name %s',
    async (host) => {
      expect(await statusUnder({ host })).toBe(200);
    },
  );

  it.each([
    { host: 'evil.example' },
    { host: 'localhost.evil.example:8000' },
    { host: 'evil.example', 'x-forwarded-host': 'localhost' },
    { host: 'localhost', 'x-forwarded-host': 'evil.example' },
    { host: 'localhost@evil.example' },
  ])('are not shown to a page that lets a name of its own point here: %o', async (headers) => {
    expect(await statusUnder(headers)).toBe(403);
  });

  it('and metrics are hidden outside the local profile', async () => {
    const production = await startSystem([], {
      PROFILE: 'production',
      PUBLIC_URL: 'https://mentorhub.example',
      TRUSTED_PROXIES: 'none',
      HOST: '127.0.0.1',
      MANAGEMENT_HOST: '127.0.0.1',
    });
    try {
      for (const path of ['/dev/mail', '/dev/mail.json', '/metrics']) {
        expect((await production.fetch(path)).status).toBe(404);
      }
    } finally {
      await production.close();
    }
  });
});

describe('health', () => {
  it('is live and ready', async () => {
    for (const path of ['/health', '/health/live', '/health/ready', '/ready']) {
      const answer = await system.fetch(path);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ status: 'up' });
    }
  });

  it('in detail names every service, those that are down too', async () => {
    const answer = await system.fetch('/health/detailed');
    expect(await answer.json()).toMatchObject({
      status: 'degraded',
      gateway: { status: 'up', checks: { nats: { status: 'up' } } },
      services: {
        identity: { status: 'up', checks: { database: { status: 'up' } } },
        mentorship: { status: 'down' },
        chat: { status: 'down' },
        notifications: { status: 'down' },
        payments: { status: 'down' },
      },
    });
  });

  it('counts requests by route, not by address', async () => {
    await system.fetch('/api/v1/mentors/123');
    const text = await (await system.fetch('/metrics')).text();
    expect(text).toContain('route="/api/v1/mentors/:id"');
    expect(text).not.toContain('/api/v1/mentors/123');
  });

  it('stays ready while NATS is away, and answers 503 in the error format by itself', async () => {
    const own = await startSystem([
      respond(Mentors.list, () => ({ items: [], total: 0, page: 1, pages: 0 })),
    ]);
    await expect
      .poll(async () => (await own.fetch('/health/ready')).status, { timeout: 5000 })
      .toBe(200);
    await own.nats.kill();
    await expect
      .poll(async () => (await own.fetch('/health/ready')).json(), { timeout: 5000 })
      .toMatchObject({
        status: 'up',
        checks: { nats: { status: 'down' }, 'sign-ins': { status: 'up' } },
      });
    const ready = await own.fetch('/health/ready');
    expect(ready.status).toBe(200);

    const answer = await own.fetch('/api/v1/mentors');
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(await answer.json()).toEqual({
      detail: 'This part of MentorHub is not available right now. Try again in a moment.',
      status_code: 503,
      code: 'SERVICE_UNAVAILABLE',
      errors: [],
      request_id: answer.headers.get('x-request-id'),
    });

    await own.nats.restart();
    await expect
      .poll(async () => (await own.fetch('/api/v1/mentors')).status, { timeout: 10_000 })
      .toBe(200);
    await own.close();
  });

  it('is not ready while it stops, and requests in flight are finished', async () => {
    const stopping = await startSystem([], { SHUTDOWN_DELAY_MS: '300' });
    const closed = stopping.close();
    const ready = await stopping.fetch('/health/ready');
    expect(ready.status).toBe(503);
    expect(ready.headers.get('retry-after')).toBe('1');
    expect(await ready.json()).toMatchObject({ code: 'SERVICE_UNAVAILABLE', status: 'draining' });
    await closed;
  });
});
