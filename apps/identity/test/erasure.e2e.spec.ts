import {
  Auth,
  type Caller,
  EmailLogin,
  Erasure,
  mentorApproved,
  personalData,
  PersonalDataExports,
  type PersonalDataSection,
  sessionRevokedSignal,
  Sessions,
  Users,
} from '@mentorhub/contracts';
import { Neighbours } from '@mentorhub/messaging-testing';
import { eventually } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RequestedErasures } from '../src/erasure/requested-erasures.js';
import { goodPassword, IdentityFixture, laptop, phone } from './fixture.js';

let fixture: IdentityFixture;
let neighbours: Neighbours;

beforeAll(async () => {
  fixture = await IdentityFixture.start('erasure');
  neighbours = await Neighbours.connect(fixture.natsUrl);
});

afterAll(async () => {
  await neighbours.close();
  await fixture.stop();
});

const erase = (actor: Caller) => fixture.request(Erasure.erase, actor, { device: laptop });

/** Every text of the database that contains a text, as `table: row`. */
async function placesOf(text: string, but: readonly string[] = []): Promise<string[]> {
  const tables = await fixture.dataSource.query<{ name: string }[]>(
    `SELECT table_name AS name FROM information_schema.tables
     WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1`,
  );
  const places: string[] = [];
  for (const { name } of tables) {
    if (but.includes(name)) continue;
    const rows = await fixture.dataSource.query<unknown[]>(
      `SELECT held::text FROM "${name}" AS held WHERE position(lower($1) IN lower(held::text)) > 0`,
      [text],
    );
    if (rows.length > 0) places.push(`${name}: ${JSON.stringify(rows)}`);
  }
  return places;
}

describe('erasing an account', () => {
  it('leaves nothing of the person in identity, and the id alone', async () => {
    const device = { user_agent: 'Unforgettable browser', ip: '192.0.2.77' };
    const { email } = await fixture.register({
      email: 'Unforgettable@example.com',
      full_name: 'Zaphod Beeblebrox',
      username: 'zaphod42',
    });
    const { actor } = await fixture.signIn(email, device);
    await fixture.verify({ actor });
    await fixture.request(Users.updateMe, actor, {
      bio: 'President of the galaxy',
      phone: '+4915112345678',
    });
    await fixture.failure(Auth.login, undefined, { email, password: 'wrong', device });
    await fixture.mintMail(actor.user_id, 'verify_email').catch(() => undefined);

    await erase(actor);

    // Published events rest for a week, so that they can be published again; the counters of networks, which belong to
    // no user, for an hour.
    for (const text of ['zaphod', 'unforgettable', 'president', '+49151', '192.0.2.77']) {
      expect(await placesOf(text, ['outbox', 'network_counters'])).toEqual([]);
    }
    const [row] = await fixture.dataSource.query<Record<string, unknown>[]>(
      'SELECT * FROM users WHERE id = $1',
      [actor.user_id],
    );
    expect(row).toMatchObject({
      id: actor.user_id,
      full_name: '',
      password_hash: null,
      is_active: false,
      username: expect.stringMatching(/^deleted-[\da-f]{16}$/) as string,
      email: expect.stringMatching(/@erased\.invalid$/) as string,
    });
    expect(await fixture.events('identity.user.erased', actor.user_id)).toEqual([
      { user_id: actor.user_id },
    ]);
  });

  it('reaches every table that names a user', async () => {
    const tables = await fixture.dataSource.query<{ name: string; column: string }[]>(
      `SELECT table_name AS name, column_name AS column FROM information_schema.columns
       WHERE table_schema = 'public' AND column_name IN ('user_id', 'actor_id', 'session_id', 'email', 'email_hash', 'account_hash')
       ORDER BY 1, 2`,
    );
    const cascading = await fixture.dataSource.query<{ name: string; column: string }[]>(
      `SELECT conrelid::regclass::text AS name, attname AS column FROM pg_constraint
       JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
       WHERE contype = 'f' AND confdeltype = 'c'`,
    );
    const deleted = new Set(cascading.map(({ name }) => name));
    // By statements of their own; the audit trail and the records of imports keep ids.
    const handled = new Set([
      'audit_log',
      'avatar_files',
      'mail_pauses',
      'mailed_codes',
      'member_import_lines',
      'member_imports',
      'members',
      'requested_erasures',
      'sessions',
      'sign_in_failures',
      'users',
      'verification_requests',
    ]);
    const forgotten = tables.filter(({ name }) => !deleted.has(name) && !handled.has(name));
    expect(forgotten).toEqual([]);
    expect(tables.length).toBeGreaterThan(10);
  });

  it('deletes the code that is on its way to the address', async () => {
    const { actor, user } = await fixture.signUp();
    await fixture.request(EmailLogin.request, undefined, {
      email: user.email,
      browser_token: 'b'.repeat(43),
      device: laptop,
    });
    const codes = () =>
      fixture.dataSource.query<unknown[]>('SELECT FROM mailed_codes WHERE email = $1', [
        user.email,
      ]);
    expect(await codes()).toHaveLength(1);
    await erase(actor);
    expect(await codes()).toEqual([]);
  });

  it('ends every device at once, and nothing signs in again', async () => {
    const { user, actor, refresh_token } = await fixture.signUp();
    const other = await fixture.signIn(user.email, phone);
    const revoked: number[] = [];
    fixture.signals.subscribe(sessionRevokedSignal, ({ session_id }) => revoked.push(session_id));

    await erase(actor);

    await eventually('both sessions to be revoked', () =>
      [actor, other.actor].every(({ session_id }) => revoked.includes(session_id))
        ? true
        : undefined,
    );
    const { sessions } = await fixture.request(Sessions.revoked, undefined, {});
    expect(sessions.map(({ session_id }) => session_id)).toEqual(
      expect.arrayContaining([actor.session_id, other.actor.session_id]),
    );
    const refused = await fixture.failure(Auth.refresh, undefined, {
      refresh_token,
      device: laptop,
    });
    expect(refused.code).toBe('INVALID_REFRESH_TOKEN');
    const login = await fixture.failure(Auth.login, undefined, {
      email: user.email,
      password: goodPassword,
      device: laptop,
    });
    expect(login.code).toBe('INVALID_CREDENTIALS');
  });

  it('frees the address and the username for a new account, which is somebody else', async () => {
    const { user, actor } = await fixture.signUp();
    await erase(actor);
    const again = await fixture.register({ email: user.email, username: user.username });
    expect(again).toMatchObject({ email: user.email, username: user.username });
    expect(again.id).not.toBe(user.id);
  });

  it('needs a fresh proof of who it is', async () => {
    const { actor } = await fixture.signUp();
    fixture.clock.advance(11 * 60_000);
    const failure = await fixture.failure(Erasure.erase, actor, { device: laptop });
    expect(failure).toMatchObject({ code: 'REAUTHENTICATION_REQUIRED', status: 403 });
    expect((await fixture.request(Users.me, actor, {})).id).toBe(actor.user_id);
    expect(await fixture.auditOf('user.erase')).toContainEqual(
      expect.objectContaining({
        outcome: 'failure',
        actor_id: actor.user_id,
        detail: { reason: 'REAUTHENTICATION_REQUIRED' },
      }),
    );
  });

  it('shows others that the user is gone, and no more', async () => {
    const { actor } = await fixture.signUp();
    const reader = await fixture.signUp();
    await erase(actor);
    const id = actor.user_id;
    expect((await fixture.failure(Users.card, reader.actor, { id })).code).toBe('NOT_FOUND');
    expect((await fixture.failure(Users.contact, undefined, { user_id: id })).code).toBe(
      'NOT_FOUND',
    );
    expect(await fixture.request(Users.people, undefined, { ids: [id] })).toEqual({
      people: [
        {
          user_id: id,
          username: '',
          full_name: '',
          avatar_url: null,
          email_verified: false,
          erased: true,
        },
      ],
    });
  });

  it('stays, whatever happens to the user later: an approval, a change that was on its way', async () => {
    const { actor } = await fixture.signUp();
    await erase(actor);
    const event = await neighbours.publish(mentorApproved, 1, {
      mentor_id: 1,
      user_id: actor.user_id,
    });
    await eventually('the approval to be handled', async () => {
      const rows = await fixture.dataSource.query<unknown[]>(
        'SELECT FROM inbox WHERE event_id = $1',
        [event],
      );
      return rows.length > 0 ? true : undefined;
    });
    const late = await fixture.failure(Users.updateMe, actor, { full_name: 'Back Again' });
    expect(late.code).toBe('NOT_FOUND');
    const [row] = await fixture.dataSource.query<{ is_mentor: boolean; full_name: string }[]>(
      'SELECT is_mentor, full_name FROM users WHERE id = $1',
      [actor.user_id],
    );
    expect(row).toEqual({ is_mentor: false, full_name: '' });
    // Not even by hand.
    await expect(
      fixture.dataSource.query('UPDATE users SET is_active = true WHERE id = $1', [actor.user_id]),
    ).rejects.toMatchObject({ constraint: 'users_erased' });
    expect(await fixture.events('identity.user.updated', actor.user_id)).toEqual([]);
  });

  it('is refused to the last administrator; of two at once, one stays', async () => {
    await fixture.dataSource.query('UPDATE users SET is_admin = false WHERE is_admin');
    const [one, two] = [await fixture.signUp(), await fixture.signUp()];
    await fixture.dataSource.query('UPDATE users SET is_admin = true WHERE id = ANY ($1)', [
      [one.actor.user_id, two.actor.user_id],
    ]);
    const outcomes = await Promise.allSettled(
      [one, two].map(({ actor }) => erase({ ...actor, roles: ['student', 'admin'] })),
    );
    const failures = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
    );
    expect(failures).toMatchObject([{ code: 'LAST_ADMINISTRATOR', status: 409 }]);
    const left = await fixture.dataSource.query<unknown[]>('SELECT FROM users WHERE is_admin');
    expect(left).toHaveLength(1);
  });

  it('is done again, by request of an operator, to those who are back with a restored backup', async () => {
    const [back, erased] = [await fixture.signUp(), await fixture.signUp()];
    await erase(erased.actor);
    await fixture.dataSource.query('INSERT INTO requested_erasures VALUES ($1), ($2), (999999)', [
      back.actor.user_id,
      erased.actor.user_id,
    ]);
    await fixture.replicas[0]!.app.get(RequestedErasures, { strict: false }).sweep();
    expect(await fixture.events('identity.user.erased', back.actor.user_id)).toHaveLength(1);
    expect(await fixture.events('identity.user.erased', erased.actor.user_id)).toHaveLength(1);
    expect(await placesOf(back.user.email, ['outbox', 'network_counters'])).toEqual([]);
    expect(await fixture.dataSource.query('SELECT FROM requested_erasures')).toEqual([]);
    expect(await fixture.auditOf('user.erase')).toContainEqual(
      expect.objectContaining({ actor_id: null, user_id: back.actor.user_id, outcome: 'success' }),
    );
  });

  it('happens once when it is asked for twice', async () => {
    const { actor } = await fixture.signUp();
    const outcomes = await Promise.allSettled([erase(actor), erase(actor)]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await fixture.events('identity.user.erased', actor.user_id)).toHaveLength(1);
  });
});

/** Everything that identity holds, part by part. */
async function collect(user_id: number): Promise<Map<string, Record<string, unknown>[]>> {
  const all = new Map<string, Record<string, unknown>[]>();
  let cursor: string | undefined;
  do {
    const part: { sections: PersonalDataSection[]; next: string | null } = await fixture.request(
      personalData('identity').collect,
      undefined,
      { user_id, cursor },
    );
    for (const { name, items } of part.sections) {
      all.set(name, [...(all.get(name) ?? []), ...(items as Record<string, unknown>[])]);
    }
    cursor = part.next ?? undefined;
  } while (cursor !== undefined);
  return all;
}

describe('the export of personal data', () => {
  it('has every row that identity holds of the user, and no secret', async () => {
    const { user, actor } = await fixture.signUp();
    await fixture.signIn(user.email, phone);
    const held = await collect(actor.user_id);
    expect(held.get('profile')).toMatchObject([{ id: user.id, email: user.email }]);
    expect(held.get('sessions')).toMatchObject([
      { user_agent: laptop.user_agent, ip: laptop.ip },
      { user_agent: phone.user_agent, ip: phone.ip },
    ]);
    expect(held.get('audit_log')).toHaveLength(3);
    expect(JSON.stringify([...held])).not.toMatch(/argon2|hash/);
  });

  it('has a section for every table that names a user', async () => {
    const { actor } = await fixture.signUp();
    const tables = await fixture.dataSource.query<{ name: string }[]>(
      `SELECT DISTINCT table_name AS name FROM information_schema.columns
       WHERE table_schema = 'public' AND column_name IN ('user_id', 'actor_id') ORDER BY 1`,
    );
    // Its rows are in mail_tokens; it is written by processes of an earlier version alone.
    // What operators request rests for seconds.
    const elsewhere = ['email_verifications', 'requested_erasures'];
    const held = await collect(actor.user_id);
    const missing = tables.filter(({ name }) => !held.has(name) && !elsewhere.includes(name));
    expect(missing).toEqual([]);
  });

  it('has nothing of anybody else', async () => {
    const { actor } = await fixture.signUp();
    const other = await fixture.signUp(phone);
    await fixture.dataSource.query(
      `INSERT INTO audit_log (occurred_at, action, outcome, actor_id, user_id, ip, user_agent, detail)
       VALUES (now(), 'session.end', 'success', $1, $2, '198.51.100.200', 'Of an administrator', '{"note":"internal"}')`,
      [other.actor.user_id, actor.user_id],
    );
    const text = JSON.stringify([...(await collect(actor.user_id))]);
    expect(text).toContain('"by_you":false');
    for (const foreign of [other.user.email, phone.ip, '198.51.100.200', 'internal']) {
      expect(text).not.toContain(foreign);
    }
  });

  it('comes in parts that fit into a message, and is whole all the same', async () => {
    const { actor } = await fixture.signUp();
    await fixture.dataSource.query(
      `INSERT INTO audit_log (occurred_at, action, outcome, actor_id, user_id, detail)
       SELECT now(), 'session.end', 'success', $1, $1, jsonb_build_object('number', number, 'text', repeat('x', 1000))
       FROM generate_series(1, 1500) AS number`,
      [actor.user_id],
    );
    let parts = 0;
    let cursor: string | undefined;
    const numbers: number[] = [];
    do {
      const part = await fixture.request(personalData('identity').collect, undefined, {
        user_id: actor.user_id,
        cursor,
      });
      expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThan(400_000);
      for (const { items } of part.sections.filter(({ name }) => name === 'audit_log')) {
        for (const item of items as { detail: { number?: number } }[]) {
          if (item.detail.number !== undefined) numbers.push(item.detail.number);
        }
      }
      parts += 1;
      cursor = part.next ?? undefined;
    } while (cursor !== undefined);
    expect(parts).toBeGreaterThan(4);
    expect(numbers).toEqual(Array.from({ length: 1500 }, (_, at) => at + 1));
  });

  it('needs a fresh proof, is counted and recorded', async () => {
    const { actor } = await fixture.signUp();
    const begin = () => fixture.request(PersonalDataExports.begin, actor, { device: laptop });
    for (let turn = 0; turn < 5; turn += 1) await begin();
    const limited = await fixture.failure(PersonalDataExports.begin, actor, { device: laptop });
    expect(limited.code).toBe('RATE_LIMITED');
    const audited = await fixture.auditOf('user.export');
    expect(audited.filter(({ actor_id }) => actor_id === actor.user_id)).toHaveLength(5);
    fixture.clock.advance(11 * 60_000);
    const stale = await fixture.failure(PersonalDataExports.begin, actor, { device: laptop });
    expect(stale.code).toBe('REAUTHENTICATION_REQUIRED');
  });
});
