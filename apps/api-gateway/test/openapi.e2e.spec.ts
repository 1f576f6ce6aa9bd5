import * as contracts from '@mentorhub/contracts';
import type { RequestContract } from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging';
import { ModulesContainer } from '@nestjs/core';
import { Validator } from '@seriousme/openapi-schema-validator';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SUBJECT } from '../src/authentication/access.decorators.js';
import { uploadTypes } from '../src/uploads/upload.decorator.js';
import { respond, startSystem, type System, token } from './fixture.js';

interface Operation {
  summary?: string;
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema: { $ref?: string } }> };
  operationId: string;
  responses: Record<string, { description: string; content?: object; headers?: object }>;
  security?: Record<string, unknown>[];
}

type Document = {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
};

let system: System;
let document: Document;

beforeAll(async () => {
  // An upload goes on once it is admitted.
  system = await startSystem([respond(contracts.Avatars.admit, () => undefined)]);
  document = (await (await system.fetch('/openapi.json')).json()) as Document;
});

afterAll(() => system.close());

const operations = (): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, Operation] => [
      `${method.toUpperCase()} ${path}`,
      operation,
    ]),
  );

/** The routes something is true of; a test wants none. */
function named(isTrue: (operation: Operation, name: string) => boolean): string[] {
  return operations()
    .filter(([name, operation]) => isTrue(operation, name))
    .map(([name]) => name);
}

function isOtherError([status, { content = {} }]: [string, { content?: object }]): boolean {
  return Number(status) >= 400 && !JSON.stringify(content).includes('ErrorBody');
}

function needsToken({ security }: Operation): boolean {
  return security?.some((scheme) => 'access_token' in scheme) ?? false;
}

function headersOf({ responses }: Operation, status: number): string[] {
  return Object.keys(responses[status]?.headers ?? {});
}

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(structuredClone(document));
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
    expect(document.openapi).toBe('3.1.0');
    expect(JSON.stringify(document)).not.toContain('"nullable"');
  });

  it('has every route that is served', () => {
    const viewers = /^\w+ \/(docs\/(assets\/|init\.js)|redoc\/assets\/)/;
    const served = system.routes
      .filter((route) => !/^(HEAD|OPTIONS) /.test(route) && !viewers.test(route))
      .map((route) => route.replace(/:(\w+)/g, '{$1}'));
    expect(
      operations()
        .map(([name]) => name)
        .toSorted(),
    ).toEqual(served.toSorted());
    expect(served.length).toBeGreaterThan(55);
  });

  it('says of every route what it does', () => {
    expect(named(({ summary }) => !summary)).toEqual([]);
  });

  it('says of every route what it answers, and that it may fail', () => {
    expect(
      named(({ responses }) => !Object.keys(responses).some((key) => Number(key) < 400)),
    ).toEqual([]);
    expect(named(({ responses }) => !(400 in responses && 500 in responses))).toEqual([]);
  });

  it('says of every route who is refused', () => {
    expect(named((operation) => needsToken(operation) && !(401 in operation.responses))).toEqual(
      [],
    );
    expect(
      named((operation, name) => name.includes('/admin/') && !(403 in operation.responses)),
    ).toEqual([]);
  });

  const refusals: [code: string, routes: string[]][] = [
    [
      'EMAIL_NOT_VERIFIED',
      [
        'POST /api/v1/auth/providers/{provider}/callback',
        'POST /api/v1/auth/providers/{provider}/link/callback',
        'POST /api/v1/mentors/apply',
        'POST /api/v1/mentorship/bookings',
        'POST /api/v1/messages',
        'POST /api/v1/sessions',
      ],
    ],
    [
      'NOT_A_MENTOR',
      ['GET /api/v1/mentorship/availability/me', 'POST /api/v1/mentorship/availability/me'],
    ],
    [
      'FORBIDDEN',
      [
        'GET /dev/mail',
        'GET /dev/mail.json',
        'PATCH /api/v1/mentorship/bookings/{id}/add_meeting_link',
        'PATCH /api/v1/mentorship/bookings/{id}/update_status',
        'POST /api/users/email-login',
        'POST /api/users/email-login/second-factor',
        'POST /api/users/email-login/verify',
        'POST /api/v1/auth/login',
        'POST /api/v1/auth/mfa/verify',
        'POST /api/v1/auth/passkeys/sign-in',
        'POST /api/v1/auth/providers/{provider}/callback',
        'POST /api/v1/mentorship/bookings',
        'POST /api/v1/sessions',
        'POST /api/v1/sessions/{id}/complete',
        'POST /api/v1/sessions/{id}/confirm',
      ],
    ],
    [
      'RATE_LIMITED',
      [
        'DELETE /api/v1/auth/mfa/totp',
        'GET /api/v1/users/me/export',
        'POST /api/users/email-login',
        'POST /api/users/email-login/second-factor',
        'POST /api/users/email-login/verify',
        'POST /api/v1/auth/login',
        'POST /api/v1/auth/mfa/recovery-codes',
        'POST /api/v1/auth/mfa/totp/confirm',
        'POST /api/v1/auth/mfa/verify',
        'POST /api/v1/auth/passkeys/sign-in-options',
        'POST /api/v1/auth/providers/{provider}/callback',
        'POST /api/v1/auth/providers/{provider}/link',
        'POST /api/v1/auth/providers/{provider}/start',
        'POST /api/v1/auth/reauthenticate',
        'POST /api/v1/auth/register',
        'POST /api/v1/email/confirm-change',
        'POST /api/v1/email/forgot-password',
        'POST /api/v1/email/reset-password',
        'POST /api/v1/email/send-verification',
        'POST /api/v1/email/undo-change',
        'POST /api/v1/email/verify-email',
        'POST /api/v1/mentorship/bookings',
        'POST /api/v1/sessions',
        'POST /api/v1/users/me/avatar',
        'POST /api/v1/users/me/email',
        'PUT /api/v1/users/me/password',
      ],
    ],
  ];

  it.each(refusals)('names every route that refuses users with %s', (code, routes) => {
    const status = String(contracts.errorStatus[code as contracts.ErrorCode]);
    const refusing = named(
      ({ responses }, name) =>
        responses[status]?.description.includes(`\`${code}\``) === true &&
        !name.includes('/admin/'),
    );
    expect(refusing.toSorted()).toEqual(routes);
  });

  it('says of every route that takes fields how invalid ones are refused', () => {
    expect(
      named(
        ({ requestBody, parameters = [], responses }) =>
          (requestBody !== undefined || parameters.some((one) => one.in === 'query')) &&
          !(422 in responses),
      ),
    ).toEqual([]);
  });

  it('names the headers that answers are sent with', () => {
    expect(
      named(({ responses }) =>
        Object.values(responses).some(({ headers = {} }) => !('X-Request-ID' in headers)),
      ),
    ).toEqual([]);
    for (const [status, header] of [
      [401, 'WWW-Authenticate'],
      [429, 'Retry-After'],
      [503, 'Retry-After'],
      [304, 'ETag'],
      [303, 'Location'],
    ] as const) {
      const having = named(({ responses }) => status in responses);
      expect(having).not.toEqual([]);
      expect(named((operation) => headersOf(operation, status).includes(header))).toEqual(having);
    }
    const list = document.paths['/api/v1/mentors']!.get!;
    expect(headersOf(list, 200)).toContain('ETag');
  });

  it('says which fields may be null, and of which only that they may be left out', () => {
    const { properties } = document.components.schemas.AvailabilityRule as {
      properties: Record<string, { type: unknown }>;
    };
    expect(properties.day_of_week!.type).toEqual(['integer', 'null']);
    expect(properties.is_recurring!.type).toBe('boolean');
  });

  it('keeps to itself what only our decorators read', () => {
    expect(JSON.stringify(document)).not.toContain('"x-');
  });

  it('describes every parameter of a path', () => {
    expect(
      named(({ parameters = [] }, name) =>
        (name.match(/(?<=\{)\w+(?=\})/g) ?? []).some(
          (parameter) => !parameters.some((one) => one.name === parameter),
        ),
      ),
    ).toEqual([]);
  });

  it('describes every error with the one error body', () => {
    expect(named(({ responses }) => Object.entries(responses).some(isOtherError))).toEqual([]);
  });

  it('describes the body of every route that takes one', () => {
    const { schemas } = document.components;
    expect(Object.keys(schemas)).toEqual(expect.arrayContaining(['BookSession', 'ErrorBody']));
    const isUnknown = ({ schema }: { schema: { $ref?: string } }): boolean =>
      !((schema.$ref?.split('/').at(-1) ?? '') in schemas);
    expect(
      named(({ requestBody }) =>
        Object.entries(requestBody?.content ?? {}).some(
          // Files are of no class.
          ([type, media]) => !uploadTypes.includes(type) && isUnknown(media),
        ),
      ),
    ).toEqual([]);
  });
});

describe('the viewers', () => {
  it.each([
    ['/docs', 'text/html', 'swagger-ui'],
    ['/docs/', 'text/html', 'swagger-ui'],
    ['/docs/init.js', 'text/javascript', 'SwaggerUIBundle'],
    ['/docs/assets/swagger-ui-bundle.js', 'javascript', 'SwaggerUIBundle'],
    ['/redoc', 'text/html', '/openapi.json'],
    ['/redoc/assets/redoc.standalone.js', 'javascript', 'Redoc'],
  ])('serve %s from here', async (path, type, content) => {
    const answer = await system.fetch(path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toContain(type);
    const text = await answer.text();
    expect(text).toContain(content);
  });

  it.each(['/docs', '/redoc'])('load nothing from other hosts: %s', async (path) => {
    expect(await (await system.fetch(path)).text()).not.toMatch(/https?:\/\//);
  });

  it('run no script that stands in the page', async () => {
    const answer = await system.fetch('/docs');
    expect(answer.headers.get('content-security-policy')).toContain("script-src 'self';");
    expect(await answer.text()).not.toMatch(/<script>/);
  });

  it('let browsers keep their files', async () => {
    const answer = await system.fetch('/docs/assets/swagger-ui.css');
    expect(answer.headers.get('cache-control')).toContain('max-age=86400');
  });

  it('serve nothing else of their packages', async () => {
    for (const path of ['/docs/assets/package.json', '/redoc/assets/..%2fpackage.json']) {
      expect((await system.fetch(path)).status).toBe(404);
    }
  });
});

/** Every request of the contracts that clients may send. */
function clientRequests(): string[] {
  const groups = Object.values(contracts).filter(
    (value) => typeof value === 'object' && value !== null,
  );
  return groups
    .flatMap((group) => Object.values(group as Record<string, unknown>))
    .filter(isRequest)
    .filter(isOfClients)
    .map(({ subject }) => subject);
}

function isRequest(value: unknown): value is RequestContract<unknown, unknown> {
  return typeof value === 'object' && value !== null && 'subject' in value && 'access' in value;
}

function isOfClients({ access }: RequestContract<unknown, unknown>): boolean {
  return access !== 'service';
}

/** The request that the method behind an operation says it sends. */
function declaredSubject(operationId: string): string | undefined {
  const [controller, method] = operationId.split('_');
  const modules = [...system.gateway.app.get(ModulesContainer).values()];
  const classes = modules.flatMap(({ controllers }) =>
    [...controllers.values()].map(({ metatype }) => metatype),
  );
  const found = classes.find((one) => one?.name === `${controller}Controller`);
  const handler = (found?.prototype as Record<string, object> | undefined)?.[method ?? ''];
  if (!handler) throw new Error(`No controller has ${operationId}.`);
  return Reflect.getMetadata(SUBJECT, handler) as string | undefined;
}

describe('every request of the contracts', () => {
  /** Those that only WebSocket frames lead to. */
  const ofSockets = [
    'rpc.chat.messages.post',
    'rpc.chat.typing.show',
    'rpc.chat.event_log.head',
    'rpc.chat.event_log.read',
  ];

  /** Those that a route sends after the one it declares. */
  const following = ['rpc.identity.members.import_rows', 'rpc.identity.members.finish_import'];

  it('has a route that leads to it, for those who may send it', async () => {
    const admin = await token({ caller: { user_id: 1, roles: ['admin'], session_id: 1 } });
    // The first token also makes the gateway ask for the keys.
    await system.as(admin, 'GET', '/api/v1/users/me');
    const forward = vi.spyOn(system.gateway.app.get(RequestClient, { strict: false }), 'forward');
    const login = { email: 'ada@example.com', password: 'correct horse battery' };
    const examples = new Map(Object.entries(exampleBodies(login)));
    const reached = new Set<string>();
    for (const [name, { requestBody, operationId }] of operations()) {
      forward.mockClear();
      const [method = '', template = ''] = name.split(' ');
      const path = template
        .replace('{key}', 'AAAAAAAAAAAAAAAAAAAAAA')
        .replace('/payments/{id}', '/payments/pm_1')
        .replace('/checkout/{id}', '/checkout/co_12345678')
        .replace('{service}', 'chat')
        .replace('{provider}', 'google')
        .replace(/\{\w+\}/g, '1');
      const body = requestBody && (examples.get(name) ?? {});
      if (template.startsWith('/checkout/') && method === 'POST') {
        await system.fetch(path, { method, body: new URLSearchParams({ outcome: 'fail' }) });
      } else if (requestBody?.content['text/csv']) {
        await system.fetch(path, {
          method,
          headers: { authorization: `Bearer ${admin}`, 'content-type': 'text/csv' },
          body: 'email,first_name,last_name,membershiptype\n',
        });
      } else if (requestBody && 'multipart/form-data' in requestBody.content) {
        await system.fetch(path, {
          method,
          headers: { authorization: `Bearer ${admin}` },
          body: await avatarForm(),
        });
      } else await system.as(admin, method, path, body);
      const sent = forward.mock.calls.map(([contract]) => contract);
      for (const { subject } of sent) reached.add(subject);
      // The guard goes by the request that the route declares; one without leads to no request of users.
      const declared = declaredSubject(operationId)?.replace(':service', 'chat');
      expect({ name, sent: sent.filter(isOfClients).map(({ subject }) => subject) }).toEqual({
        name,
        sent: declared === undefined ? [] : [declared],
      });
    }
    const missing = clientRequests().filter(
      (subject) =>
        !reached.has(subject) && !ofSockets.includes(subject) && !following.includes(subject),
    );
    expect(missing).toEqual([]);
    expect(clientRequests().length).toBeGreaterThan(45);
  });
});

/** A valid body for every route that has required fields. */
function exampleBodies(login: { email: string; password: string }): Record<string, object> {
  const start = '2026-11-25T15:00:00Z';
  const credential = { id: 'AA', rawId: 'AA', type: 'public-key' };
  return {
    'POST /api/v1/auth/register': { ...login, full_name: 'Ada', role: 'student' },
    'POST /api/v1/auth/login': login,
    'POST /api/v1/auth/providers/{provider}/callback': { code: 'code', state: 'state' },
    'POST /api/v1/auth/providers/{provider}/link/callback': { code: 'code', state: 'state' },
    'POST /api/users/email-login': { email: login.email },
    'POST /api/users/email-login/verify': { token: 'token' },
    'POST /api/users/email-login/second-factor': { challenge: 'token', code: '123456' },
    'POST /api/v1/auth/refresh': { refresh_token: 'token' },
    'POST /api/v1/auth/mfa/verify': { challenge: 'token', code: '123456' },
    'POST /api/v1/auth/mfa/passkey-options': { challenge: 'token' },
    'POST /api/v1/auth/mfa/totp/confirm': { code: '123456' },
    'POST /api/v1/auth/passkeys': {
      credential: {
        ...credential,
        response: { clientDataJSON: 'e30', attestationObject: 'AA' },
      },
    },
    'POST /api/v1/auth/passkeys/sign-in': {
      passkey: {
        ...credential,
        response: { clientDataJSON: 'e30', authenticatorData: 'AA', signature: 'AA' },
      },
    },
    'PATCH /api/v1/auth/passkeys/{id}': { name: 'Laptop' },
    'POST /api/v1/email/send-verification': { email: login.email },
    'POST /api/v1/email/verify-email': { token: 'token' },
    'POST /api/v1/email/forgot-password': { email: login.email },
    'POST /api/v1/email/reset-password': { token: 'token', new_password: login.password },
    'POST /api/v1/email/confirm-change': { token: 'token' },
    'POST /api/v1/email/undo-change': { token: 'token' },
    'PUT /api/v1/users/me/password': { new_password: login.password },
    'POST /api/v1/users/me/email': { email: login.email },
    'POST /api/v1/mentors/apply': {
      title: 'Developer',
      description: 'Ten years.',
      skills: ['Python'],
      price_per_hour: 3000,
    },
    'POST /api/v1/admin/mentors/{id}/reject': { reason: 'Tell us more.' },
    'POST /api/v1/admin/services/{service}/events/republish': { from: start, to: start },
    'POST /api/v1/sessions': {
      mentor_id: 1,
      scheduled_at: start,
      duration_minutes: 60,
      topic: 'Interview',
    },
    'POST /api/v1/mentorship/availability/me': { rules: [] },
    'POST /api/v1/mentorship/bookings': {
      mentor_id: 1,
      session_date: '2026-11-25',
      start_time: '09:00',
      end_time: '10:00',
      topic: 'Interview',
    },
    'PATCH /api/v1/mentorship/bookings/{id}/update_status': { status: 'confirmed' },
    'PATCH /api/v1/mentorship/bookings/{id}/add_meeting_link': {
      meeting_link: 'https://example.com/42',
    },
    'POST /api/v1/messages': { recipient_id: 1, text: 'Hi' },
    'POST /api/v1/payments/create': { session_id: 1, amount: 3000, payment_method: 'card' },
    'POST /api/v1/payments/{id}/sandbox': { outcome: 'succeed' },
  };
}

async function avatarForm(): Promise<FormData> {
  const create = { width: 8, height: 8, channels: 3 as const, background: 'red' };
  const picture = await sharp({ create }).png().toBuffer();
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(picture)]), 'a.png');
  return form;
}
