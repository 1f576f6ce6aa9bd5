import {
  AdminUsers,
  Audit,
  Auth,
  type Caller,
  type ListAuditEntries,
  type ListUsers,
  mentorApproved,
  mentorRejected,
  Sessions,
  sessionRevokedSignal,
  type SignedIn,
  Users,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mostListed } from '../src/administration/bounded-page.js';
import { SignIns } from '../src/auth/sign-ins.js';
import { User } from '../src/users/user.entity.js';
import { actorOf, goodPassword, IdentityFixture, laptop, phone } from './fixture.js';

let identity: IdentityFixture;
let root: SignedIn & { actor: Caller };

const minute = 60_000;

const credentials = { ADMIN_EMAIL: 'root@example.com', ADMIN_PASSWORD: 'gondel rabe wolke' };

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_administration', credentials);
  root = await signInRoot();
});
afterAll(() => identity.stop());

async function signInRoot(): Promise<SignedIn & { actor: Caller }> {
  const answer = await identity.request(Auth.login, undefined, {
    email: credentials.ADMIN_EMAIL,
    password: credentials.ADMIN_PASSWORD,
    device: laptop,
  });
  return Object.assign(answer, { actor: actorOf(answer.access_token) });
}

/** Somebody who has signed in with a verified address. */
async function member(): Promise<SignedIn & { actor: Caller }> {
  const person = await identity.signUp();
  await identity.verify(person);
  return person;
}

async function administrator(): Promise<SignedIn & { actor: Caller }> {
  const { user } = await member();
  await change(user.id, { role: 'admin' });
  return identity.signIn(user.email);
}

type Changes = { is_active?: boolean; role?: 'student' | 'mentor' | 'admin'; is_premium?: boolean };

function change(id: number, changes: Changes, actor = root.actor) {
  return identity.request(AdminUsers.update, actor, { id, ...changes, device: laptop });
}

function changeFailure(id: number, changes: Changes, actor = root.actor) {
  return identity.failure(AdminUsers.update, actor, { id, ...changes, device: laptop });
}

function loginFailure(email: string) {
  return identity.failure(Auth.login, undefined, { email, password: goodPassword, device: laptop });
}

/** What `GET /admin/audit` takes. */
type AuditFilters = Pick<ListAuditEntries, keyof ListAuditEntries>;

function read(filters: AuditFilters) {
  return identity.request(Audit.list, root.actor, { ...filters, device: laptop });
}

async function find(query: ListUsers): Promise<number[]> {
  return (await identity.request(AdminUsers.list, root.actor, query)).items.map(({ id }) => id);
}

async function hasEnded({ actor }: { actor: Caller }): Promise<boolean> {
  const { sessions } = await identity.request(Sessions.revoked, undefined, {});
  return sessions.some(({ session_id }) => session_id === actor.session_id);
}

describe('a deactivated user', () => {
  it('is signed out everywhere, and can neither sign in nor refresh, until reactivated', async () => {
    const person = await member();
    const signals: number[] = [];
    const subscription = identity.signals.subscribe(sessionRevokedSignal, ({ session_id }) =>
      signals.push(session_id),
    );
    const { id, email } = person.user;
    expect(await change(id, { is_active: false })).toMatchObject({ id, is_active: false });
    expect(await hasEnded(person)).toBe(true);
    await expect.poll(() => signals).toContain(person.actor.session_id);
    subscription.unsubscribe();
    expect((await loginFailure(email)).code).toBe('FORBIDDEN');
    const refresh = { refresh_token: person.refresh_token, device: laptop };
    expect((await identity.failure(Auth.refresh, undefined, refresh)).code).toBe(
      'INVALID_REFRESH_TOKEN',
    );
    expect(await identity.events('identity.user.deactivated', id)).toMatchObject([{ user_id: id }]);

    await change(id, { is_active: true });
    await identity.signIn(email);
    expect(await identity.events('identity.user.reactivated', id)).toHaveLength(1);
    const [off] = (await identity.auditOf('user.deactivate')).slice(-1);
    expect(off).toMatchObject({
      outcome: 'success',
      actor_id: root.user.id,
      user_id: id,
      session_id: root.actor.session_id,
      ip: laptop.ip,
    });
    expect((await identity.auditOf('user.reactivate')).at(-1)).toMatchObject({ user_id: id });
  });

  it('is not signed in by a sign-in that was under way', async () => {
    const {
      user: { id },
    } = await member();
    const before = await identity.dataSource.manager.findOneByOrFail(User, { id });
    await change(id, { is_active: false });
    const late = identity.dataSource.transaction((tx) =>
      identity.replicas[0]!.app.get(SignIns).open(tx, before, {
        method: 'password',
        device: phone,
      }),
    );
    await expect(late).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe('an administrator', () => {
  it('is made by another one, and has to sign in anew', async () => {
    const person = await member();
    const { id, email } = person.user;
    expect(await change(id, { role: 'admin' })).toMatchObject({ role: 'admin' });
    expect(await hasEnded(person)).toBe(true);
    const again = await identity.signIn(email);
    expect(again.actor.roles).toContain('admin');

    await change(id, { role: 'student' });
    expect(await hasEnded(again)).toBe(true);
    expect((await identity.signIn(email)).actor.roles).toEqual(['student']);
    const facts = await identity.events('identity.user.role_changed', id);
    expect(facts).toMatchObject([{ role: 'admin' }, { role: 'student' }]);
    expect((await identity.auditOf('user.role')).slice(-2)).toMatchObject([
      { actor_id: root.user.id, user_id: id, detail: { role: 'admin' } },
      { actor_id: root.user.id, user_id: id, detail: { role: 'student' } },
    ]);
  });

  it('is nobody who says so, nor who was one', async () => {
    const { actor } = await member();
    const own = await changeFailure(actor.user_id, { role: 'admin' }, actor);
    expect(own.code).toBe('FORBIDDEN');
    const forged = { ...actor, roles: ['student', 'admin'] as const };
    expect((await changeFailure(actor.user_id, { role: 'admin' }, forged)).code).toBe('FORBIDDEN');

    const former = await administrator();
    await change(former.user.id, { role: 'student' });
    // Its access token would still say so, on a gateway that does not know yet.
    const late = await changeFailure(actor.user_id, { role: 'admin' }, former.actor);
    expect(late.status).toBe(403);
    expect((await identity.request(Users.me, actor, {})).role).toBe('student');
  });

  it('is nobody whose address is not verified', async () => {
    const { user } = await identity.signUp();
    expect((await changeFailure(user.id, { role: 'admin' })).code).toBe('WRONG_STATE');
  });

  it('gives no mentor rights, which come with an approved profile', async () => {
    const { user } = await member();
    const failure = await changeFailure(user.id, { role: 'mentor' });
    expect(failure.errors).toEqual([
      { field: 'role', message: expect.stringContaining('approved mentor profile') },
    ]);
    await identity.dataSource.query('UPDATE users SET is_mentor = true WHERE id = $1', [user.id]);
    expect(await change(user.id, { role: 'admin' })).toMatchObject({ role: 'admin' });
    expect(await change(user.id, { role: 'mentor' })).toMatchObject({ role: 'mentor' });
    expect((await changeFailure(user.id, { role: 'student' })).status).toBe(422);
  });

  it('has to have proven who it is within ten minutes, and refusals are recorded', async () => {
    const { user } = await member();
    identity.clock.advance(10 * minute);
    expect((await changeFailure(user.id, { is_active: false })).code).toBe(
      'REAUTHENTICATION_REQUIRED',
    );
    expect((await identity.auditOf('user.administer')).at(-1)).toMatchObject({
      outcome: 'failure',
      actor_id: root.user.id,
      user_id: user.id,
      detail: { code: 'REAUTHENTICATION_REQUIRED' },
    });
    root = await signInRoot();
    await change(user.id, { is_active: false });
  });
});

describe('the last administrator', () => {
  it('stays one, and active', async () => {
    for (const changes of [{ role: 'student' }, { is_active: false }] as const) {
      expect((await changeFailure(root.user.id, changes)).code).toBe('LAST_ADMINISTRATOR');
    }
    const other = await administrator();
    await change(other.user.id, { is_active: false });
    expect((await changeFailure(root.user.id, { role: 'student' })).code).toBe(
      'LAST_ADMINISTRATOR',
    );
    expect(await change(root.user.id, { is_premium: false })).toMatchObject({ role: 'admin' });
  });

  it('is left over when the last two remove each other at the same time', async () => {
    for (let round = 0; round < 10; round++) {
      root = await signInRoot();
      const other = await administrator();
      const changes = round % 2 ? { is_active: false } : { role: 'student' as const };
      const outcomes = await Promise.allSettled([
        change(other.user.id, changes, root.actor),
        change(root.user.id, changes, other.actor),
      ]);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const [left] = await identity.dataSource.query<{ count: number }[]>(
        'SELECT count(*)::int FROM users WHERE is_admin AND is_active',
      );
      expect(left?.count).toBe(1);
      await identity.dataSource.query(
        'UPDATE users SET is_admin = (id = $1), is_active = true WHERE is_admin OR id = $1',
        [root.user.id],
      );
    }
    root = await signInRoot();
  }, 60_000);
});

describe('premium', () => {
  it('is shown on the profile and in the access token', async () => {
    const { actor, user } = await member();
    expect(await identity.request(Users.me, actor, {})).toMatchObject({ is_premium: false });
    await change(user.id, { is_premium: true });
    expect(await identity.request(Users.me, actor, {})).toMatchObject({ is_premium: true });
    const { access_token } = await identity.signIn(user.email);
    expect(decodeJwt(access_token)).toMatchObject({ premium: true });
    expect(await hasEnded({ actor })).toBe(false);
    expect((await identity.auditOf('user.premium')).at(-1)).toMatchObject({
      user_id: user.id,
      detail: { is_premium: true },
    });
  });
});

describe('the search for users', () => {
  it('goes by the beginning of address, username and words of the name', async () => {
    const { id } = await identity.register({
      email: 'grace_hopper@navy.example',
      username: 'amazing.grace',
      full_name: 'Grace Brewster Муррей-Хоппер',
    });
    for (const q of ['GRACE_h', 'amazing', 'brew', 'gra brew', 'мурр', 'муррей-хоп']) {
      expect(await find({ q })).toEqual([id]);
    }
    // A % or _ stands for itself.
    for (const q of ['hopper', 'navy', '_mazing', 'am%zing', "gra' OR", '!!', 'brewster & x']) {
      expect(await find({ q })).toEqual([]);
    }
  });

  it('filters by role and state', async () => {
    const { user } = await member();
    await change(user.id, { is_premium: true, is_active: false });
    expect(await find({ is_active: false, is_premium: true, role: 'student' })).toEqual([user.id]);
    expect(await find({ role: 'admin' })).toEqual([root.user.id]);
    expect(await find({ role: 'mentor', q: user.username })).toEqual([]);
  });

  it('shows the newest first, page by page', async () => {
    const all = await find({ limit: 100 });
    expect(all).toEqual(all.toSorted((one, other) => other - one));
    expect(await find({ page: 2, limit: 5 })).toEqual(all.slice(5, 10));
    const { total } = await identity.request(AdminUsers.list, root.actor, { limit: 1 });
    expect(total).toBe(all.length);
    const behind = await identity.failure(AdminUsers.list, root.actor, { page: 101, limit: 100 });
    expect(behind.errors).toEqual([{ field: 'page', message: expect.stringContaining('narrow') }]);
  });

  it('is for administrators alone', async () => {
    const { actor } = await member();
    const failures = [
      await identity.failure(AdminUsers.list, actor, {}),
      await identity.failure(Audit.list, actor, { device: laptop }),
    ];
    expect(failures.map(({ code }) => code)).toEqual(['FORBIDDEN', 'FORBIDDEN']);
  });
});

describe('the audit trail', () => {
  it('is read by who, whom, what, outcome and when, the newest first', async () => {
    identity.clock.advance(minute);
    const from = identity.clock.now().toISOString();
    const { actor, user } = await member();
    await identity.failure(Auth.login, undefined, {
      email: user.email,
      password: 'not the password',
      device: { user_agent: 'Laptop\n=1+1', ip: phone.ip },
    });
    const { items, total } = await read({ user_id: user.id });
    expect(items.map(({ action }) => action)).toEqual([
      'password.check',
      'email.verify',
      'session.open',
      'user.register',
    ]);
    expect(total).toBe(4);
    expect(items[0]).toMatchObject({
      outcome: 'failure',
      actor_id: null,
      user_id: user.id,
      ip: phone.ip,
      user_agent: 'Laptop\n=1+1',
      occurred_at: from,
      id: expect.any(Number),
      request_id: expect.any(String),
      detail: {},
    });
    const actions = async (query: AuditFilters) =>
      (await read(query)).items.map(({ action }) => action);
    expect(await actions({ actor_id: user.id, action: 'session.open' })).toEqual(['session.open']);
    expect(await actions({ user_id: user.id, outcome: 'failure' })).toEqual(['password.check']);
    expect(await actions({ actor_id: actor.user_id, to: from })).toEqual([]);
    expect(await actions({ actor_id: actor.user_id, from, limit: 1, page: 2 })).toEqual([
      'session.open',
    ]);
    const reversed = { from, to: from, device: laptop };
    expect((await identity.failure(Audit.list, root.actor, reversed)).errors?.[0]?.field).toBe(
      'to',
    );
  });

  it('says who has read it, once for a session and ten minutes', async () => {
    root = await signInRoot();
    const readings = async () =>
      (await identity.auditOf('audit.read')).filter(
        ({ session_id }) => session_id === root.actor.session_id,
      );
    await read({ action: 'session.open', page: 1 });
    await read({ action: 'session.open', page: 2 });
    expect(await readings()).toMatchObject([
      { actor_id: root.user.id, ip: laptop.ip, detail: { action: 'session.open' } },
    ]);
    identity.clock.advance(10 * minute + 1);
    await read({});
    expect(await readings()).toHaveLength(2);
  });

  it('has what a gateway refused, one entry for a user and a minute', async () => {
    const { actor } = await member();
    const since = identity.clock.now().toISOString();
    const denial = {
      user_id: actor.user_id,
      session_id: actor.session_id,
      route: 'GET /api/v1/admin/users',
      count: 5000,
      since,
      device: phone,
    };
    await identity.request(Audit.noteDenials, undefined, { denials: [denial] });
    const { items } = await read({ action: 'access.denied' });
    expect(items).toMatchObject([
      {
        outcome: 'failure',
        actor_id: actor.user_id,
        session_id: actor.session_id,
        ip: phone.ip,
        detail: { route: 'GET /api/v1/admin/users', count: 5000, since },
      },
    ]);
  });

  it('has the decisions on mentors, by whom and when', async () => {
    const { user } = await member();
    const { app } = identity.replicas[0]!;
    const decision = { mentor_id: 9001, user_id: user.id, decided_by: root.user.id };
    await app.get(Transactions).run(async (tx) => {
      await app.get(Outbox).add(tx, mentorRejected, 9001, { ...decision, reason: 'Tell more.' });
      await app.get(Outbox).add(tx, mentorApproved, 9001, decision);
    });
    await expect
      .poll(async () => (await read({ user_id: user.id, actor_id: root.user.id })).items, {
        timeout: 10_000,
      })
      .toMatchObject([
        { action: 'mentor.approve', detail: { mentor_id: 9001 } },
        { action: 'mentor.reject', detail: { mentor_id: 9001 } },
      ]);
  });
});

describe('at many rows', () => {
  it('no query reads more than what is listed', async () => {
    const { dataSource } = identity;
    await dataSource.query(`
      INSERT INTO audit_log (occurred_at, action, outcome, actor_id, user_id, session_id, detail)
      SELECT timestamptz '2026-01-01' + n * interval '5 minutes',
        CASE WHEN n % 1000 = 99 THEN 'user.role' WHEN n % 100 > 45 THEN 'session.end' ELSE 'session.open' END,
        CASE WHEN n % 10 = 0 THEN 'failure' ELSE 'success' END, n % 5000, n % 5000, n, '{}'
      FROM generate_series(1, 60000) AS n`);
    await dataSource.query(`
      INSERT INTO users (email, username, full_name, requested_role, timezone, locale, created_at)
      SELECT md5(n::text) || '@many.example', 'm' || left(md5(n::text || 'u'), 20),
        left(md5(n::text || 'a'), 8) || ' ' || left(md5(n::text || 'b'), 8), 'student', 'UTC', 'en', now()
      FROM generate_series(1, 60000) AS n`);
    await dataSource.query('ANALYZE audit_log, users');
    const reads = await readsOf(async () => {
      const day = { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' };
      const entries: AuditFilters[] = [
        {},
        { page: 100, limit: 100 },
        { actor_id: 17 },
        { user_id: 17, outcome: 'failure' },
        { action: 'user.role' },
        { action: 'user.role', outcome: 'failure' },
        { outcome: 'failure' },
        day,
        { action: 'session.end', ...day },
        { to: day.from },
      ];
      for (const query of entries) {
        await read(query);
      }
      const users: ListUsers[] = [
        ...['root@example.com', 'mabc1', 'abcd', 'amaz grace'].map((q) => ({ q })),
        {},
        { is_active: false },
        { is_premium: true },
        ...(['admin', 'mentor'] as const).map((role) => ({ role })),
      ];
      for (const query of users) await identity.request(AdminUsers.list, root.actor, query);
    });
    expect(reads.length).toBeGreaterThan(30);
    expect(reads.filter(({ rows }) => rows > 1.1 * mostListed)).toEqual([]);
    const { total } = await identity.request(Audit.list, root.actor, { device: laptop });
    expect(total).toBe(mostListed);
  }, 60_000);
});

interface PlanNode {
  'Node Type': string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

/** How many rows each query on the two tables takes out of them, those that it drops included. */
async function readsOf(work: () => Promise<void>): Promise<{ sql: string; rows: number }[]> {
  const { dataSource } = identity;
  const ask = dataSource.query.bind(dataSource);
  const reads: { sql: string; rows: number }[] = [];
  dataSource.query = (async (sql: string, values?: unknown[]) => {
    if (/^SELECT[\s\S]*FROM (audit_log|users)/.test(sql)) {
      const explain = `EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`;
      const rows: { 'QUERY PLAN': { Plan: PlanNode }[] }[] = await ask(explain, values);
      reads.push({ sql, rows: rowsRead(rows[0]!['QUERY PLAN'][0]!.Plan) });
    }
    return ask(sql, values);
  }) as typeof dataSource.query;
  try {
    await work();
  } finally {
    dataSource.query = ask;
  }
  return reads;
}

function rowsRead(node: PlanNode): number {
  const { Plans: inner = [] } = node;
  const own = node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0);
  return inner.length === 0
    ? own * node['Actual Loops']
    : Math.max(...inner.map(rowsRead), node['Rows Removed by Filter'] ?? 0);
}
