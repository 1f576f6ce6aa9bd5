import { type Caller, type MemberRow, Members } from '@mentorhub/contracts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Housekeeping } from '../src/housekeeping/housekeeping.js';
import { IdentityFixture, laptop } from './fixture.js';

let identity: IdentityFixture;
let admin: Caller;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_members');
});
beforeEach(async () => {
  const { actor } = await identity.signUp();
  admin = { ...actor, roles: ['student', 'admin'] };
});
afterAll(() => identity.stop());

function member(name: string, changes: Partial<MemberRow> = {}): MemberRow {
  return {
    line: 2,
    email: `${name}@example.com`,
    first_name: name,
    last_name: 'Member',
    membershiptype: 'Mentee',
    ...changes,
  };
}

async function begin(): Promise<string> {
  const { import_id } = await identity.request(Members.beginImport, admin, { device: laptop });
  return import_id;
}

function take(import_id: string, rows: MemberRow[], actor = admin) {
  return identity.request(Members.importRows, actor, { import_id, rows });
}

function finish(import_id: string, complete = true, failed = 0) {
  return identity.request(Members.finishImport, admin, {
    import_id,
    complete,
    failed,
    device: laptop,
  });
}

async function found(q: string): Promise<string[]> {
  const { items } = await identity.request(Members.list, admin, { q });
  return items.map(({ email }) => email);
}

async function importAll(rows: MemberRow[]) {
  const id = await begin();
  const answer = await take(id, rows);
  await finish(id);
  return answer;
}

describe('an import of members', () => {
  it('adds those who are new, changes those who changed, and leaves the others', async () => {
    const rows = [member('ada', { line: 2 }), member('bob', { line: 3 })];
    expect(await importAll(rows)).toEqual({ created: 2, updated: 0, errors: [] });
    expect(await importAll(rows)).toEqual({ created: 0, updated: 0, errors: [] });
    const changed = [rows[0]!, { ...rows[1]!, membershiptype: 'Mentor' }, member('cleo')];
    expect(await importAll(changed)).toEqual({ created: 1, updated: 1, errors: [] });
  });

  it('takes the first of several rows with one address, in whichever batches they are', async () => {
    const id = await begin();
    const first = await take(id, [
      member('twice', { line: 2, first_name: 'First' }),
      member('twice', { line: 3, first_name: 'Second' }),
    ]);
    expect(first).toEqual({
      created: 1,
      updated: 0,
      errors: [{ line: 3, message: 'email is on line 2 already.' }],
    });
    expect(await take(id, [member('twice', { line: 9 }), member('once', { line: 10 })])).toEqual({
      created: 1,
      updated: 0,
      errors: [{ line: 9, message: 'email is on line 2 already.' }],
    });
    await finish(id);
    const { items } = await identity.request(Members.list, admin, { q: 'twice' });
    expect(items).toEqual([expect.objectContaining({ first_name: 'First' })]);
  });

  it('takes a row that the database folds in another way for a bad one, and the others all the same', async () => {
    const outcome = await importAll([
      member('fine', { line: 2 }),
      member('odd', { line: 3, email: 'Odd@example.com' }),
    ]);
    expect(outcome).toMatchObject({
      created: 1,
      errors: [{ line: 3, message: expect.stringContaining('lower case') }],
    });
  });

  it('of two at the same time over the same people leaves each of them once', async () => {
    const rows = Array.from({ length: 500 }, (_, n) => member(`crowd${n}`, { line: n + 2 }));
    const outcomes = await Promise.all([importAll(rows), importAll(rows.toReversed())]);
    expect(outcomes.map(({ created }) => created).reduce((a, b) => a + b)).toBe(500);
    const { total } = await identity.request(Members.list, admin, { q: 'crowd' });
    expect(total).toBe(500);
  });

  it('belongs to the administrator who began it', async () => {
    const id = await begin();
    const other = { ...admin, user_id: admin.user_id + 1000 };
    await expect(take(id, [member('stranger')], other)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(take('made-up', [member('stranger')])).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('is for administrators who proved lately who they are', async () => {
    const student = { ...admin, roles: ['student' as const] };
    expect(await identity.failure(Members.beginImport, student, { device: laptop })).toMatchObject({
      code: 'FORBIDDEN',
    });
    expect(await identity.failure(Members.list, student, {})).toMatchObject({ code: 'FORBIDDEN' });
    identity.clock.advance(10 * 60_000);
    expect(await identity.failure(Members.beginImport, admin, { device: laptop })).toMatchObject({
      code: 'REAUTHENTICATION_REQUIRED',
    });
  });

  it('is in the audit trail, with its numbers and without anybody’s address', async () => {
    const id = await begin();
    await take(id, [member('audited')]);
    await finish(id, false, 3);
    const entries = await identity.auditOf('members.import');
    expect(entries.at(-1)).toMatchObject({
      outcome: 'failure',
      actor_id: admin.user_id,
      ip: laptop.ip,
      detail: { created: 1, updated: 0, failed: 3 },
    });
    expect(await identity.auditOf('members.import_begin')).toContainEqual(
      expect.objectContaining({ actor_id: admin.user_id, outcome: 'success' }),
    );
  });

  it('whose gateway ended before it did is forgotten after a day', async () => {
    const id = await begin();
    await take(id, [member('left')]);
    const left = () =>
      identity.dataSource.query<unknown[]>('SELECT FROM member_import_lines WHERE import_id = $1', [
        id,
      ]);
    expect(await left()).toHaveLength(1);
    identity.clock.advance(86_400_001);
    await identity.replicas[0]!.app.get(Housekeeping).sweep();
    expect(await left()).toHaveLength(0);
  });
});

describe('the members directory', () => {
  it('is listed by address, page by page, with roles and accounts', async () => {
    const { id, email } = await identity.register({ email: 'zoe.listed@example.com' });
    await importAll([
      member('zoe', { email, membershiptype: 'MENTOR/MENTEE', line: 2 }),
      member('anna.listed', { line: 3, membershiptype: '' }),
    ]);
    const page = await identity.request(Members.list, admin, { q: 'listed', limit: 1, page: 2 });
    expect(page).toEqual({
      items: [
        {
          email,
          first_name: 'zoe',
          last_name: 'Member',
          membershiptype: 'MENTOR/MENTEE',
          is_mentor: true,
          is_mentee: true,
          user_id: id,
          updated_at: identity.clock.now().toISOString(),
        },
      ],
      total: 2,
      page: 2,
      pages: 2,
    });
    const first = await identity.request(Members.list, admin, { q: 'listed', limit: 1 });
    expect(first.items).toEqual([
      expect.objectContaining({ email: 'anna.listed@example.com', user_id: null, is_mentee: true }),
    ]);
  });

  it('is searched by parts of addresses and names, in any script, and by no pattern of the database', async () => {
    await importAll([
      member('search1', { line: 2, first_name: 'Анна', last_name: 'Соколова' }),
      member('search2', { line: 3, first_name: '100%', last_name: '_' }),
      member('li', { line: 4 }),
    ]);
    expect(await found('соколов search')).toEqual(['search1@example.com']);
    expect(await found('SEARCH2')).toEqual(['search2@example.com']);
    expect(await found('100%')).toEqual(['search2@example.com']);
    expect(await found('%%%')).toEqual([]);
    expect(await found('s_arch')).toEqual([]);
    expect(await found('li')).toEqual(['li@example.com']);
  });
});
