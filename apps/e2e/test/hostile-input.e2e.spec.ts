import type { System } from '@mentorhub/local-system';
import { Actor } from '@mentorhub/testing';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admin, startedSystem } from './started-system.js';

interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  pattern?: string;
  enum?: unknown[];
  example?: unknown;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  allOf?: Schema[];
  anyOf?: Schema[];
}

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; example?: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, unknown>;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** A request that arbitrary choices have made. */
interface Attempt {
  signedIn: boolean;
  path: Record<string, string>;
  query: [name: string, value: string][];
  headers: Record<string, string>;
  body: string | undefined;
}

/** Requests to each route, of which there are some seventy, and how long they may take in all, in milliseconds. */
const attemptsPerRoute = 24;
const msPerRoute = 500;

/** Signing out ends the session that all other requests need. */
const comesLast = /logout|\/auth\/sessions\/\{id\}/;

const hostileTexts = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'x\udc00y',
  '\u202e',
  '😀'.repeat(50),
  'x'.repeat(5000),
  'null',
  'true',
  '__proto__',
  'toString',
  "'; DROP TABLE users --",
  '%',
  '%s%n',
  '${7*7}',
  'PST',
  '+02:00',
  'Mars/Olympus',
  'HTTPS://Example.com/x',
  'https://a',
  'javascript:1',
  '2026-W48-3T15:00:00Z',
  '2026-329T15:00:00Z',
  '20261125T150000Z',
  '2026-11-25T15Z',
  '2026-02-30T15:00:00Z',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59-23:59',
  '+275760-09-13T00:00:00Z',
  '2026-11-25',
  '9999-12-31',
  '2026-02-30',
  '24:00',
  '00:00',
  'ada\ud800@example.com',
  'a@b',
  'ä@example.com',
  'pm_1',
  'co_00000000',
];
const hostileNumbers = [
  0,
  -0,
  -1,
  1,
  1.5,
  1e-9,
  0.001,
  1e300,
  -1e300,
  5e-324,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 63,
  2 ** 64,
  Number.MAX_SAFE_INTEGER,
];

const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(...hostileTexts),
  fc.constantFrom<unknown>(...hostileNumbers),
  fc.constantFrom<unknown>(null, true, false, [], {}, [null], [[]], { a: { b: {} } }),
  fc.jsonValue({ maxDepth: 3 }),
);

const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...hostileTexts),
  fc.constantFrom(...hostileNumbers.map(String)),
  fc.constantFrom('1e3', '0x10', '9223372036854775808', '-9223372036854775809', '01'),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

const validTexts: Record<string, string> = {
  email: 'person@example.com',
  'date-time': '2026-11-25T15:00:00Z',
  date: '2026-11-25',
  uri: 'https://example.com/42',
  password: 'correct horse battery staple',
};

/** Makes values that fit a schema, so that requests get past the validation and into the services. */
class Values {
  constructor(private readonly document: Document) {}

  resolve(schema: Schema): Schema {
    const target = schema.$ref ?? schema.allOf?.[0]?.$ref ?? schema.anyOf?.[0]?.$ref;
    if (target === undefined) return schema;
    return this.document.components.schemas[target.split('/').at(-1)!]!;
  }

  fitting(given: Schema): fc.Arbitrary<unknown> {
    const schema = this.resolve(given);
    const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
    if (schema.enum) return fc.constantFrom(...schema.enum);
    if (type === 'object') return this.object(schema);
    if (type === 'array') return fc.array(this.fitting(schema.items ?? {}), { maxLength: 3 });
    if (type === 'integer' || type === 'number') {
      return fc.constantFrom<unknown>(schema.example ?? 1, 1, 2, 60);
    }
    if (type === 'boolean') return fc.boolean();
    const example = schema.example ?? validTexts[schema.format ?? ''] ?? 'A text';
    return fc.constant(example);
  }

  /** An object that fits but for one or two fields. */
  almost(given: Schema): fc.Arbitrary<unknown> {
    const names = Object.keys(this.resolve(given).properties ?? {});
    const spoilt = fc.dictionary(
      fc.constantFrom(...names, 'extra', '__proto__', 'constructor', 'toString'),
      hostileValue,
      { maxKeys: 2 },
    );
    return fc
      .tuple(this.fitting(given), spoilt)
      .map(([fitting, changes]) => ({ ...(fitting as object), ...changes }));
  }

  private object({ properties = {}, required = [] }: Schema): fc.Arbitrary<object> {
    const fields = Object.entries(properties).map(
      ([name, schema]): [string, fc.Arbitrary<unknown>] => [name, this.fitting(schema)],
    );
    return fc.record(Object.fromEntries(fields), { requiredKeys: required });
  }
}

const json = (value: unknown): string => JSON.stringify(value) ?? '';

/** Requests to a route: most of them nearly right, some of them nonsense. */
function attempts(operation: Operation, values: Values): fc.Arbitrary<Attempt> {
  const { parameters = [], requestBody } = operation;
  const named = (place: string): NonNullable<Operation['parameters']> =>
    parameters.filter((parameter) => parameter.in === place);
  const fittingText = (schema: Schema, example?: string): fc.Arbitrary<string> =>
    example === undefined ? values.fitting(schema).map(String) : fc.constant(example);

  const path = fc.record(
    Object.fromEntries(
      named('path').map(({ name, schema, example }) => [
        name,
        fc.oneof(
          { weight: 4, arbitrary: fittingText(schema, example) },
          { weight: 1, arbitrary: hostileText.filter((text) => !/^\.*$/.test(text)) },
        ),
      ]),
    ),
  );
  const query = fc.array(
    fc.oneof(
      ...named('query').map(({ name, schema }) =>
        fc.tuple(
          fc.constant(name),
          fc.oneof({ weight: 2, arbitrary: fittingText(schema) }, hostileText),
        ),
      ),
      fc.tuple(fc.constantFrom('colour', '__proto__', 'constructor', 'page[]'), hostileText),
    ),
    { maxLength: named('query').length > 0 ? 4 : 1 },
  );
  const [[contentType, { schema }] = ['application/json', { schema: {} }]] = Object.entries(
    requestBody?.content ?? {},
  );
  const body = requestBody
    ? fc.oneof(
        { weight: 6, arbitrary: values.almost(schema).map(json) },
        { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 5 }).map(json) },
        { weight: 1, arbitrary: fc.constantFrom('', 'null', '[]', '{', '{"a":1}{', '\ufeff{}') },
      )
    : fc.constantFrom(undefined, undefined, undefined, '{}', 'null', '{"a":');
  const headers = fc.record(
    {
      'content-type': fc.constantFrom(contentType, contentType, contentType, 'text/plain'),
      'idempotency-key': fc.constantFrom('key-1', ' ', 'ä', 'x'.repeat(200)),
      'accept-language': fc.constantFrom('ru', '*', ';q=,', 'x'.repeat(1000)),
      'if-none-match': fc.constantFrom('*', '"x"', ','),
      'x-request-id': fc.constantFrom('mine', '<b>', 'x'.repeat(500)),
      traceparent: fc.constantFrom('00-0-0-00', 'x'),
    },
    { requiredKeys: ['content-type'] },
  );
  return fc.record({
    signedIn: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false)),
    path,
    query,
    headers,
    body,
  });
}

/** Percent-encodes any text, halves of surrogate pairs as the bytes they would have. */
function encoded(text: string): string {
  return text.replace(/\p{Surrogate}|[^]/gu, (character) =>
    character.isWellFormed() ? encodeURIComponent(character) : '%ED%A0%80',
  );
}

/** What is wrong with an answer; nothing for one that is documented and, if an error, in the error format. */
async function flaw(response: Response, { responses }: Operation): Promise<string | undefined> {
  const { status } = response;
  const text = await response.text();
  if (status >= 500) return `${status}: ${text}`;
  if (!(String(status) in responses)) return `${status} is not documented: ${text}`;
  if (status < 400) return undefined;
  const body = JSON.parse(text) as Record<string, unknown>;
  const isRight =
    body.status_code === status &&
    typeof body.detail === 'string' &&
    /^[A-Z_]+$/.test(String(body.code)) &&
    Array.isArray(body.errors) &&
    body.request_id === response.headers.get('x-request-id');
  return isRight ? undefined : `not in the error format: ${text}`;
}

describe('the system, sent anything', () => {
  let system: System;
  let stop: () => Promise<void>;
  let document: Document;
  let person: Actor;

  beforeAll(async () => {
    ({ system, stop } = await startedSystem());
    person = await Actor.signedIn(system.urls.edge, 'admin', admin);
    document = await person.get<Document>('/openapi.json');
    const { id } = await person.post<{ id: number }>('/api/v1/mentors/apply', {
      title: 'Developer',
      description: 'Ten years.',
      skills: ['Go'],
      price_per_hour: 3000,
      availability: { monday: ['09:00-17:00'], wednesday: ['09:00-17:00'] },
    });
    await person.post(`/api/v1/admin/mentors/${id}/approve`);
  }, 180_000);

  afterAll(() => stop());

  async function send(method: string, route: string, attempt: Attempt): Promise<Response> {
    const path = route.replace(/\{(\w+)\}/g, (_, name: string) => encoded(attempt.path[name]!));
    const query = attempt.query.map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
    const { 'content-type': contentType, ...headers } = attempt.headers;
    return fetch(`${system.urls.edge}${path}${query.length > 0 ? '?' : ''}${query.join('&')}`, {
      method,
      redirect: 'manual',
      headers: {
        ...Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [
            name,
            Buffer.from(value).toString('latin1'),
          ]),
        ),
        ...(attempt.signedIn && { authorization: `Bearer ${person.accessToken}` }),
        ...(attempt.body !== undefined && method !== 'GET' && { 'content-type': contentType! }),
      },
      body: method === 'GET' ? undefined : attempt.body,
    });
  }

  it.each(['\0 and seven more', '\ud800 and seven more'])(
    'refuses a password that nobody could sign in with, and answers it as a wrong one: %j',
    async (password) => {
      const email = 'unusual@hostile.example';
      const visitor = new Actor(system.urls.edge);
      const registration = { email, password, full_name: 'Unusual', role: 'student' };
      const refusal = await visitor.call<{ errors: { field: string; message: string }[] }>(
        'POST',
        '/api/v1/auth/register',
        registration,
        { expect: 422 },
      );
      expect(refusal.body.errors).toEqual([
        {
          field: 'password',
          message: 'password must not contain the character U+0000 or half a surrogate pair.',
        },
      ]);
      const answers = [];
      for (const tried of [password, 'a wrong password']) {
        const { body } = await visitor.call<{ code: string; detail: string }>(
          'POST',
          '/api/v1/auth/login',
          { email: admin.email, password: tried },
          { expect: 401 },
        );
        answers.push({ code: body.code, detail: body.detail });
      }
      expect(answers[0]).toEqual(answers[1]);
      expect(answers[0]!.code).toBe('INVALID_CREDENTIALS');
    },
  );

  it('answers every route as it is documented, and never with a 5xx', async () => {
    const values = new Values(document);
    const operations = Object.entries(document.paths)
      .flatMap(([route, item]) =>
        Object.entries(item).map(([method, operation]) => ({ route, method, operation })),
      )
      .toSorted((a, b) => Number(comesLast.test(a.route)) - Number(comesLast.test(b.route)));
    expect(operations.length).toBeGreaterThan(55);
    const failures: string[] = [];
    const statuses = new Map<number, number>();
    for (const { route, method, operation } of operations) {
      const result = await fc.check(
        fc.asyncProperty(attempts(operation, values), async (attempt) => {
          const response = await send(method.toUpperCase(), route, attempt);
          statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
          expect(await flaw(response, operation)).toBeUndefined();
        }),
        { numRuns: attemptsPerRoute, endOnFailure: true, interruptAfterTimeLimit: msPerRoute },
      );
      if (result.failed) {
        const [attempt] = result.counterexample ?? [];
        failures.push(
          `${method.toUpperCase()} ${route} (seed ${result.seed}) ${JSON.stringify(attempt)}: ${String(result.errorInstance)}`,
        );
      }
    }
    expect(failures).toEqual([]);
    // Much of it got past the validation.
    expect(statuses.get(200)).toBeGreaterThan(200);
    expect(statuses.get(422)).toBeGreaterThan(200);
  }, 120_000);
});
