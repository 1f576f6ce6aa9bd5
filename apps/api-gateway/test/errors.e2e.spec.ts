import { request as httpRequest } from 'node:http';
import { securityHeaders } from '@mentorhub/http-server';
import { attack, rawAnswer, rawHandshake, rawRequest } from '@mentorhub/http-server-testing';
import { ApplicationError, Mentors, SessionBookings, Users } from '@mentorhub/contracts';
import { BookSession } from '@mentorhub/contracts/dto';
import { Body, Controller, Post } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Anonymous } from '../src/authentication/access.decorators.js';
import { MaxBody } from '../src/routing/max-body.decorator.js';
import { ada, respond, startSystem, type System, token } from './fixture.js';

interface ErrorAnswer {
  detail: string;
  status_code: number;
  code: string;
  errors: { field: string; message: string }[];
  request_id: string;
  [member: string]: unknown;
}

const booking = {
  mentor_id: 1,
  scheduled_at: '2026-11-25T15:00:00Z',
  duration_minutes: 60,
  topic: 'Interview',
};

const jsonHeaders = { 'content-type': 'application/json' };

/** A route that takes more than others, as uploads will. */
@Controller('large')
class LargeController {
  @Post()
  @Anonymous()
  @MaxBody(10 * 1024 * 1024)
  take(@Body() body: BookSession): BookSession {
    return body;
  }
}

/** Resolved at the end, so that the slow service can stop. */
let release: () => void = () => undefined;
const released = new Promise<void>((resolve) => {
  release = resolve;
});
let system: System;
let bearer: string;

beforeAll(async () => {
  system = await startSystem(
    [
      respond(Users.me, () => {
        throw new Error('relation "users" does not exist');
      }),
      respond(SessionBookings.book, () => {
        throw new ApplicationError('BOOKING_SLOT_TAKEN', 'This slot is taken.', {
          data: { alternatives: [{ starts_at: '2026-11-25T16:00:00Z' }] },
        });
      }),
      respond(Mentors.apply, () => {
        throw new ApplicationError('RATE_LIMITED', 'Wait a minute.', { retryAfterSeconds: 60 });
      }),
      respond(SessionBookings.get, async () => {
        await released;
        throw ApplicationError.notFound('The session');
      }),
    ],
    undefined,
    undefined,
    [LargeController],
  );
  bearer = await token();
});

afterAll(() => {
  release();
  return system.close();
});

async function expectError(response: Response, status: number, code: string): Promise<ErrorAnswer> {
  const body = (await response.json()) as ErrorAnswer;
  expect({ status: response.status, ...body }).toMatchObject({ status, status_code: status, code });
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(response.headers.get('x-request-id')).toBe(body.request_id);
  expect(Array.isArray(body.errors)).toBe(true);
  expect(body.detail).toMatch(/\.$/);
  return body;
}

function post(body: string, contentType = 'application/json'): Promise<Response> {
  return system.fetch('/api/v1/sessions', {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}`, 'content-type': contentType },
    body,
  });
}

/** Sends bytes as they are, for what no HTTP client would send. */
function raw(bytes: string): Promise<string> {
  return rawAnswer(system.gateway.port, bytes);
}

function expectRawError(answer: string, status: number): void {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  const error = JSON.parse(body) as ErrorAnswer;
  expect(error).toMatchObject({ status_code: status, code: 'MALFORMED_REQUEST', errors: [] });
  expect(head.toLowerCase()).toContain(`x-request-id: ${error.request_id}`);
  expect(head.toLowerCase()).toContain('x-content-type-options: nosniff');
}

describe('a body that cannot be used', () => {
  it.each([
    ['malformed JSON', '{"mentor_id": 1,'],
    ['JSON that is nested too deep', `${'['.repeat(5000)}${']'.repeat(5000)}`],
  ])('is refused with 400: %s', async (_what, body) => {
    await expectError(await post(body), 400, 'MALFORMED_REQUEST');
  });

  it('is refused with 400 when it is not UTF-8', async () => {
    const response = await system.fetch('/api/v1/sessions', {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      body: Buffer.from([0x22, 0xff, 0x22]),
    });
    await expectError(response, 400, 'MALFORMED_REQUEST');
  });

  it.each(['text/plain', 'application/xml', 'application/x-www-form-urlencoded'])(
    'is refused with 415 as %s',
    async (contentType) => {
      await expectError(await post('a=1', contentType), 415, 'UNSUPPORTED_MEDIA_TYPE');
    },
  );

  it('is refused with 413 when it has 65 KB, though a route may take more', async () => {
    const body = JSON.stringify({ ...booking, topic: 'x'.repeat(65 * 1024) });
    await expectError(await post(body), 413, 'BODY_TOO_LARGE');
    const { errors } = await expectError(
      await system.fetch('/large', { method: 'POST', headers: jsonHeaders, body }),
      422,
      'VALIDATION_FAILED',
    );
    expect(errors.map(({ field }) => field)).toEqual(['topic']);
  });

  it('of a hundred thousand fields holds up nobody', async () => {
    const fields = Array.from({ length: 100_000 }, (_, key) => `"k${key}":0`);
    const large = `{${fields.join(',')}}`;
    const small = `{${fields.slice(0, 6000).join(',')}}`;
    const started = performance.now();
    const answers = await Promise.all(
      [small, large].map((body) =>
        system.fetch('/large', { method: 'POST', headers: jsonHeaders, body }),
      ),
    );
    await expectError(await system.fetch('/nothing'), 404, 'NOT_FOUND');
    // The quadratic way took two seconds for a third of it.
    expect(performance.now() - started).toBeLessThan(1000);
    const { errors } = await expectError(answers[0]!, 422, 'VALIDATION_FAILED');
    expect(errors).toHaveLength(50);
    await expectError(answers[1]!, 413, 'BODY_TOO_LARGE');
  });

  it('is refused with 413 when it has 20 MB', async () => {
    const answer = await post(JSON.stringify({ topic: 'x'.repeat(20 * 1024 * 1024) }));
    await expectError(answer, 413, 'BODY_TOO_LARGE');
  });

  it('is refused with 413 when 20 MB come without a length', async () => {
    const answer = await new Promise<{ status?: number; text: string }>((resolve, reject) => {
      const request = httpRequest(
        `${system.url}/api/v1/sessions`,
        {
          method: 'POST',
          headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
        },
        (response) => {
          let text = '';
          response.on('data', (chunk) => (text += String(chunk)));
          response.on('end', () => resolve({ status: response.statusCode, text }));
        },
      );
      request.on('error', reject);
      const chunk = 'x'.repeat(1024 * 1024);
      for (let count = 0; count < 20; count += 1) request.write(chunk);
      request.end();
    });
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'BODY_TOO_LARGE', status_code: 413 });
  });

  it('is answered with one entry per invalid field', async () => {
    const answer = await post(
      JSON.stringify({ ...booking, mentor_id: 'one', duration_minutes: 5, price: 1 }),
    );
    const { errors } = await expectError(answer, 422, 'VALIDATION_FAILED');
    expect(errors).toEqual(
      expect.arrayContaining([
        { field: 'mentor_id', message: 'mentor_id must be a whole number.' },
        { field: 'duration_minutes', message: 'duration_minutes must be at least 15.' },
        { field: 'price', message: 'price is not a known field.' },
      ]),
    );
    expect(errors).toHaveLength(3);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'is refused when a field is called %s, as every unknown one',
    async (name) => {
      const body = JSON.stringify(booking).replace('{', `{"${name}":{"prototype":{"admin":true}},`);
      const { errors } = await expectError(await post(body), 422, 'VALIDATION_FAILED');
      expect(errors).toEqual([{ field: name, message: `${name} is not a known field.` }]);
      const query = await system.fetch(`/api/v1/mentors?${name}=1`);
      expect((await expectError(query, 422, 'VALIDATION_FAILED')).errors).toEqual(errors);
    },
  );

  it('names a nested field by its path', async () => {
    const answer = await system.as(bearer, 'POST', '/api/v1/mentorship/availability/me/', {
      rules: [
        { day_of_week: 1, start_time: '09:00', end_time: '17:00' },
        { day_of_week: 9, start_time: 'noon', end_time: '17:00', colour: 'red' },
      ],
    });
    const { errors } = await expectError(answer, 422, 'VALIDATION_FAILED');
    expect(errors.map(({ field }) => field).toSorted()).toEqual([
      'rules[1].colour',
      'rules[1].day_of_week',
      'rules[1].start_time',
    ]);
  });

  it.each(['[]', '"text"', '42', 'null'])('must be an object, not %s', async (body) => {
    const { errors } = await expectError(await post(body), 422, 'VALIDATION_FAILED');
    expect(errors).toEqual([{ field: 'body', message: 'The body must be a JSON object.' }]);
  });

  it('names the missing fields when it is empty', async () => {
    const { errors } = await expectError(await post(''), 422, 'VALIDATION_FAILED');
    expect(errors.map(({ field }) => field)).toContain('mentor_id');
  });
});

describe('an address that leads nowhere', () => {
  it.each([
    ['GET', '/api/v1/nothing'],
    ['GET', '/'],
    ['DELETE', '/api/v1/sessions'],
  ])('is answered with 404: %s %s', async (method, path) => {
    await expectError(await system.fetch(path, { method }), 404, 'NOT_FOUND');
  });

  it('is answered with 400 when it cannot be decoded', async () => {
    await expectError(await system.fetch('/api/v1/mentors/%ff'), 400, 'MALFORMED_REQUEST');
  });

  it.each(['abc', '0', '-1', '1.5', '99999999999', '1e3'])(
    'is answered with 422 when its id is %s',
    async (id) => {
      const answer = await system.fetch(`/api/v1/mentors/${id}`);
      const { errors } = await expectError(answer, 422, 'VALIDATION_FAILED');
      expect(errors[0]?.field).toBe('id');
    },
  );

  it('is answered with 422 when its query is wrong or not known', async () => {
    const answer = await system.fetch('/api/v1/mentors?page=zero&limit=101&colour=red');
    const { errors } = await expectError(answer, 422, 'VALIDATION_FAILED');
    expect(errors.map(({ field }) => field).toSorted()).toEqual(['colour', 'limit', 'page']);
  });

  it('is answered with 404 when no payment can have its id', async () => {
    const answer = await system.as(bearer, 'GET', '/api/v1/payments/12');
    await expectError(answer, 404, 'NOT_FOUND');
  });
});

/** A token that nobody signed. */
function unsigned(payload: object): string {
  return [{ alg: 'none', typ: 'at+jwt', kid: 'test-key' }, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
    .concat('.');
}

describe('a token', () => {
  it.each<[string, () => string | Promise<string>]>([
    ['nonsense', () => 'nonsense'],
    [
      'an unsigned one',
      () =>
        unsigned({ sub: '7', sid: 70, roles: ['admin'], iss: 'mentorhub', aud: 'mentorhub-api' }),
    ],
    ['one of another issuer', () => token({ issuer: 'elsewhere' })],
    ['one for another audience', () => token({ audience: 'elsewhere' })],
    ['one of another type', () => token({ type: 'JWT' })],
    ['one signed with an unknown key', () => token({ kid: 'unknown' })],
    ['an expired one', () => token({ expiresIn: '-1s' })],
    ['one of a revoked session', () => token({ caller: { ...ada, session_id: 666 } })],
  ])('is refused with 401, on public routes too: %s', async (_what, make) => {
    const bad = await make();
    for (const path of ['/api/v1/users/me', '/api/v1/mentors/1']) {
      const answer = await system.as(bad, 'GET', path);
      await expectError(answer, 401, 'UNAUTHENTICATED');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
  });

  it('is required where a route needs it', async () => {
    const answer = await system.fetch('/api/v1/users/me');
    const { detail } = await expectError(answer, 401, 'UNAUTHENTICATED');
    expect(detail).toMatch(/Authorization: Bearer/);
  });

  it('of a student does not open the routes of administrators', async () => {
    await expectError(await system.as(bearer, 'GET', '/api/v1/admin/mentors'), 403, 'FORBIDDEN');
  });
});

describe('what a service answers', () => {
  it('keeps its code and adds its data to the error', async () => {
    const answer = await system.as(bearer, 'POST', '/api/v1/sessions', booking);
    const body = await expectError(answer, 409, 'BOOKING_SLOT_TAKEN');
    expect(body.alternatives).toEqual([{ starts_at: '2026-11-25T16:00:00Z' }]);
  });

  it('leaks nothing when it failed unexpectedly', async () => {
    const answer = await system.as(bearer, 'GET', '/api/v1/users/me');
    const body = await expectError(answer, 500, 'INTERNAL');
    expect(JSON.stringify(body)).not.toMatch(/relation|users/);
  });

  it('says with 429 when to come back', async () => {
    const answer = await system.as(bearer, 'POST', '/api/v1/mentors/apply', {
      title: 'Developer',
      description: 'Ten years.',
      skills: ['Python'],
      price_per_hour: 3000,
    });
    const body = await expectError(answer, 429, 'RATE_LIMITED');
    expect(body.message).toBe(body.detail);
    expect(answer.headers.get('retry-after')).toBe('60');
  });

  it('is 503 at once when no replica listens', async () => {
    const answer = await system.fetch('/api/v1/mentors');
    await expectError(answer, 503, 'SERVICE_UNAVAILABLE');
    expect(answer.headers.get('retry-after')).toBe('1');
  });

  it('is 504 when it does not come in time', async () => {
    const started = performance.now();
    const answer = await system.as(bearer, 'GET', '/api/v1/sessions/1');
    await expectError(answer, 504, 'DEADLINE_EXCEEDED');
    expect(performance.now() - started).toBeLessThan(6000);
  }, 10_000);
});

describe('broken HTTP', () => {
  it.each([
    ['nonsense', 'NONSENSE\r\n\r\n', 400],
    ['no Host', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['an unknown Expect', rawRequest('GET /health', 'Expect: miracles\r\n'), 417],
    ['CONNECT', rawRequest('CONNECT example.com:443'), 405],
    ['too large headers', rawRequest('GET /health', `X-Large: ${'x'.repeat(40_000)}\r\n`), 431],
    ['a path that cannot be decoded', rawRequest('GET /%', 'Connection: close\r\n'), 400],
  ])('is answered in the error format: %s', async (_what, bytes, status) => {
    expectRawError(await raw(bytes), status);
  });

  it('under attack does not end the process, and keeps no connection', async () => {
    await attack(system.gateway.port, 1_500);
    const server = system.gateway.app.getHttpServer();
    const open = (): Promise<number> =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      });
    // What is idle may stay open for the next request: clients close it.
    server.closeIdleConnections();
    await expect.poll(open, { timeout: 10_000 }).toBe(0);
    expect((await system.fetch('/health')).status).toBe(200);
  }, 30_000);
});

describe('a request to upgrade the connection', () => {
  it.each(['h2c', 'websocket'])('to %s is ignored', async (protocol) => {
    const headers = `Connection: Upgrade, close\r\nUpgrade: ${protocol}\r\n`;
    expect(await raw(rawRequest('GET /health', headers))).toMatch(/^HTTP\/1\.1 200 /);
    const handshake = rawHandshake('/health').replace('Upgrade\r\n', 'Upgrade, close\r\n');
    expect(await raw(handshake)).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('OPTIONS', () => {
  it('without the headers of a preflight is answered in the error format', async () => {
    for (const headers of [{}, { origin: 'https://app.example' }]) {
      const answer = await system.fetch('/api/v1/mentors', { method: 'OPTIONS', headers });
      const { detail } = await expectError(answer, 400, 'MALFORMED_REQUEST');
      expect(detail).toContain('Access-Control-Request-Method');
    }
  });

  it('of a browser carries the headers that protect it, and a request id', async () => {
    const answer = await system.fetch('/api/v1/mentors', {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'GET' },
    });
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(answer.headers.get('x-request-id')).toMatch(/./);
    for (const [name, value] of Object.entries(securityHeaders)) {
      expect(answer.headers.get(name)).toBe(value);
    }
  });
});

describe('a client that sends its body too slowly', () => {
  it('is answered with 408', async () => {
    const slow = await startSystem([], { REQUEST_TIMEOUT_MS: '1000' });
    try {
      const answer = await rawAnswer(
        slow.gateway.port,
        rawRequest(
          'POST /api/v1/auth/login',
          'Content-Type: application/json\r\nContent-Length: 100\r\n',
          '{',
        ),
      );
      expectRawError(answer, 408);
    } finally {
      await slow.close();
    }
  }, 15_000);
});
