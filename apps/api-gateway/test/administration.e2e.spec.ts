import {
  type AccessDenials,
  AdminUsers,
  type AdminUser,
  Audit,
  Auth,
  Users,
} from '@mentorhub/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Denials } from '../src/authentication/denials.js';
import { ada, respond, startSystem, type System, token } from './fixture.js';

let system: System;
let bearer: string;
let admin: string;
let reported: AccessDenials[] = [];
/** Requests that reached a service. */
let reached: unknown[] = [];

function reach(data: unknown): never {
  reached.push(data);
  return {} as never;
}

beforeAll(async () => {
  system = await startSystem([
    respond(Audit.noteDenials, (_, { denials }) => {
      reported.push(...denials);
    }),
    respond(AdminUsers.update, (_, data) => reach(data) as AdminUser),
    respond(Users.register, (_, data) => reach(data)),
    respond(Users.updateMe, (_, data) => reach(data)),
    respond(Auth.login, (_, data) => reach(data)),
  ]);
  bearer = await token();
  admin = await token({ caller: { user_id: 1, roles: ['student', 'admin'], session_id: 10 } });
});
afterAll(() => system.close());
beforeEach(() => {
  reported = [];
  reached = [];
});

describe('the routes of administrators', () => {
  it('refuse a mentee and a mentor, each of them, before anything is asked of a service', async () => {
    const routes = system.routes
      .filter((route) => /^(?!HEAD|OPTIONS)\w+ \/api\/v1\/admin\//.test(route))
      .map((route) => route.replaceAll(/:\w+/g, '1').split(' ') as [string, string]);
    expect(routes.length).toBeGreaterThan(8);
    const mentor = await token({ caller: { ...ada, roles: ['student', 'mentor'] } });
    for (const [method, path] of routes) {
      for (const caller of [bearer, mentor]) {
        const answer = await system.as(caller, method, path, method === 'GET' ? undefined : {});
        expect({ path, status: answer.status }).toEqual({ path, status: 403 });
      }
      const anonymous = await system.fetch(path, { method });
      expect({ path, status: anonymous.status }).toEqual({ path, status: 401 });
    }
    await system.gateway.app.get(Denials).report();
  });

  it('report refusals to the audit trail, one entry for a user however many there were', async () => {
    const other = await token({ caller: { ...ada, user_id: 8, session_id: 80 } });
    for (let n = 0; n < 20; n++) await system.as(bearer, 'GET', '/api/v1/admin/users?q=ada');
    await system.as(other, 'PATCH', '/api/v1/admin/users/8', { role: 'admin' });
    await system.as('no-token', 'GET', '/api/v1/admin/users');
    await system.gateway.app.get(Denials).report();
    expect(reported).toMatchObject([
      { user_id: 7, session_id: 70, route: 'GET /api/v1/admin/users', count: 20 },
      { user_id: 8, session_id: 80, route: 'PATCH /api/v1/admin/users/:id', count: 1 },
    ]);
    expect(reported[0]?.device.ip).toBe('127.0.0.1');
    await system.gateway.app.get(Denials).report();
    expect(reported).toHaveLength(2);
  });
});

describe('a field that nobody may set', () => {
  const registration = {
    email: 'eve@example.com',
    password: 'gondel wiese rabe',
    full_name: 'Eve',
    role: 'student',
  };
  const forbidden = {
    id: 1,
    is_admin: true,
    is_premium: true,
    is_active: true,
    is_mentor: true,
    email_verified: true,
    email_verified_at: '2026-11-25T12:00:00Z',
    password_hash: '$argon2id$',
    created_at: '2026-11-25T12:00:00Z',
    roles: ['admin'],
    device: { ip: '203.0.113.7', user_agent: '' },
  };

  it.each<[string, string, string, () => string, object, string[]]>([
    ['at registration', 'POST', '/api/v1/auth/register', () => bearer, registration, []],
    [
      'at sign-in',
      'POST',
      '/api/v1/auth/login',
      () => bearer,
      { email: 'eve@example.com', password: 'x' },
      ['role'],
    ],
    [
      'of the own profile',
      'PATCH',
      '/api/v1/users/me',
      () => bearer,
      { full_name: 'Eve' },
      ['role', 'email', 'password'],
    ],
    [
      'of the own profile, put',
      'PUT',
      '/api/v1/users/me',
      () => bearer,
      { full_name: 'Eve' },
      ['role', 'email', 'password'],
    ],
    [
      'by an administrator',
      'PATCH',
      '/api/v1/admin/users/7',
      () => admin,
      {},
      ['email', 'password', 'full_name'],
    ],
  ])('is refused %s, with its name', async (_, method, path, caller, body, further) => {
    const allowed = path.includes('/admin/') ? ['is_premium', 'is_active'] : [];
    const extra = Object.fromEntries([
      ...Object.entries(forbidden).filter(([name]) => !allowed.includes(name)),
      ...further.map((name) => [name, 'admin']),
    ]);
    const answer = await system.as(caller(), method, path, { ...body, ...extra });
    expect(answer.status).toBe(422);
    const { errors } = (await answer.json()) as { errors: { field: string }[] };
    expect(new Set(errors.map(({ field }) => field))).toEqual(new Set(Object.keys(extra)));
    expect(reached).toEqual([]);
    await system.as(caller(), method, path, body);
    expect(reached).toHaveLength(1);
  });

  it.each(['admin', 'root', ['admin'], { $ne: 'student' }, true])(
    'is the role %j at registration',
    async (role) => {
      const answer = await system.as(bearer, 'POST', '/api/v1/auth/register', {
        ...registration,
        role,
      });
      expect(answer.status).toBe(422);
      const { errors } = (await answer.json()) as { errors: { field: string }[] };
      expect(errors.map(({ field }) => field)).toEqual(['role']);
    },
  );
});
