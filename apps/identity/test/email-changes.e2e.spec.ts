import {
  Auth,
  type Caller,
  EmailChanges,
  PasswordChanges,
  SecondFactors,
  Users,
} from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Housekeeping } from '../src/housekeeping/housekeeping.js';
import { goodPassword, IdentityFixture, laptop, phone } from './fixture.js';

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_email_changes');
});
afterAll(() => identity.stop());

const minute = 60_000;
const hour = 60 * minute;

type Person = Awaited<ReturnType<IdentityFixture['signUp']>>;

let addresses = 0;
const newAddress = () => `new${(addresses += 1)}@example.com`;

/** Somebody who has signed in a moment ago, with an address that is verified. */
async function verifiedPerson(): Promise<Person> {
  const person = await identity.signUp();
  await identity.verify(person);
  return person;
}

function ask(actor: Caller, email: string) {
  return identity.request(EmailChanges.request, actor, { email, device: laptop });
}

/** The newest request for a mail of a kind to a user. */
async function lastMail(userId: number, kind: 'confirm_email_change' | 'undo_email_change') {
  const mails = await identity.events('identity.user.mail_requested', userId);
  const ref = mails.findLast(({ mail }) => mail === kind)?.['ref'];
  if (typeof ref !== 'number') throw new Error(`No ${kind} was asked for.`);
  return { mint: () => identity.mintMail(userId, kind, ref) };
}

async function confirmation(userId: number): Promise<string> {
  const mail = await lastMail(userId, 'confirm_email_change');
  return (await mail.mint()).token ?? '';
}

async function undoLink(userId: number): Promise<string> {
  const mail = await lastMail(userId, 'undo_email_change');
  return (await mail.mint()).token ?? '';
}

function confirm(token: string, actor?: Caller, password?: string) {
  return identity.request(EmailChanges.confirm, actor, { token, password, device: laptop });
}

function confirmFailure(token: string, actor?: Caller, password?: string) {
  return identity.failure(EmailChanges.confirm, actor, { token, password, device: phone });
}

/** Changes the address of a person to another one. */
async function changeTo({ actor, user }: Person, email = newAddress()): Promise<string> {
  await ask(actor, email);
  await confirm(await confirmation(user.id), actor);
  return email;
}

function undo(token: string) {
  return identity.request(EmailChanges.undo, undefined, { token, device: phone });
}

function undoFailure(token: string) {
  return identity.failure(EmailChanges.undo, undefined, { token, device: phone });
}

async function addressOf(user_id: number): Promise<{ email: string; email_verified: boolean }> {
  const { email, email_verified } = await identity.request(Users.contact, undefined, { user_id });
  return { email, email_verified };
}

async function registrationFailure(email: string, username?: string): Promise<string> {
  const refusal = await identity.register({ email, username }).catch((error: unknown) => error);
  return (refusal as { code: string }).code;
}

describe('changing the email address', () => {
  it('sends a link to the new mailbox, and changes nothing before that is opened', async () => {
    const { actor, user } = await verifiedPerson();
    const email = newAddress();
    expect(await ask(actor, email)).toEqual({ message: expect.any(String), expires_in_hours: 24 });
    expect(await addressOf(user.id)).toEqual({ email: user.email, email_verified: true });

    const { token, ...mail } = await (await lastMail(user.id, 'confirm_email_change')).mint();
    expect(mail).toEqual({
      user_id: user.id,
      email,
      email_verified: false,
      locale: 'en',
      timezone: 'UTC',
    });
    expect(Buffer.from(token!, 'base64url')).toHaveLength(32);
    expect(await confirm(token!, actor)).toEqual({ message: expect.any(String), email });
    expect(await addressOf(user.id)).toEqual({ email, email_verified: true });
    expect((await identity.signIn(email)).user.id).toBe(user.id);
    expect(await identity.events('identity.user.email_changed', user.id)).toEqual([
      { user_id: user.id },
    ]);
  });

  it('is never on the bus or in the trail as an address', async () => {
    const person = await verifiedPerson();
    await changeTo(person, 'secret-place@example.com');
    const [all] = await identity.dataSource.query<{ text: string }[]>(
      `SELECT (SELECT string_agg(payload::text, '') FROM outbox) ||
         (SELECT string_agg(audit_log::text, '') FROM audit_log) AS text`,
    );
    expect(all?.text).toContain('undo_email_change');
    expect(all?.text).not.toContain('secret-place');
  });

  it('needs a proof within the last ten minutes', async () => {
    const { actor } = await verifiedPerson();
    identity.clock.advance(10 * minute);
    const request = { email: newAddress(), device: laptop };
    expect(await identity.failure(EmailChanges.request, actor, request)).toMatchObject({
      code: 'REAUTHENTICATION_REQUIRED',
    });
    await identity.request(Auth.reauthenticate, actor, { password: goodPassword, device: laptop });
    await identity.request(EmailChanges.request, actor, request);
  });

  it('is refused for the address that the account has', async () => {
    const { actor, user } = await verifiedPerson();
    const request = { email: user.email.toUpperCase(), device: laptop };
    expect(await identity.failure(EmailChanges.request, actor, request)).toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ field: 'email', message: expect.any(String) }],
    });
  });

  it('gets the same answer for an address that has an account, whose owner gets no mail', async () => {
    const { actor, user } = await verifiedPerson();
    const other = await verifiedPerson();
    const formerly = other.user.email;
    const taken = await changeTo(other);
    identity.clock.advance(minute);
    const free = await ask(actor, newAddress());
    for (const email of [taken, formerly]) {
      expect(await ask(actor, email)).toEqual(free);
      const mail = await lastMail(user.id, 'confirm_email_change');
      await expect(mail.mint()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  it('brings one mail an address and minute, and the same answer to whoever asks twice', async () => {
    const { actor } = await verifiedPerson();
    const email = newAddress();
    const first = await ask(actor, email);
    expect(await ask(actor, email)).toEqual(first);
    await ask(actor, newAddress());
    const failure = () => identity.failure(EmailChanges.request, actor, { email, device: laptop });
    expect(await failure()).toMatchObject({ code: 'RATE_LIMITED', retryAfterSeconds: 60 });
    identity.clock.advance(minute);
    await ask(actor, email);
    await ask(actor, newAddress());
    expect(await failure()).toMatchObject({ code: 'RATE_LIMITED', retryAfterSeconds: 300 });
  });

  it('is not delayed by others who name the same address', async () => {
    const { actor, user } = await verifiedPerson();
    const email = newAddress();
    await ask((await verifiedPerson()).actor, email);
    await ask(actor, email);
    await confirm(await confirmation(user.id), actor);
    expect(await addressOf(user.id)).toMatchObject({ email });
  });
});

describe('the link that confirms a new address', () => {
  it('does not give the account to a stranger whose address was typed by mistake', async () => {
    const { actor, user } = await verifiedPerson();
    await ask(actor, newAddress());
    const token = await confirmation(user.id);
    const stranger = await verifiedPerson();
    for (const reader of [undefined, stranger.actor]) {
      expect(await confirmFailure(token, reader)).toMatchObject({ code: 'UNAUTHENTICATED' });
      expect(await confirmFailure(token, reader, 'not the password')).toMatchObject({
        code: 'INVALID_CREDENTIALS',
      });
    }
    expect(await addressOf(user.id)).toMatchObject({ email: user.email });
    await confirm(token, undefined, goodPassword);
  });

  it('works once, also when it is opened 5 times at the same moment', async () => {
    const { actor, user } = await verifiedPerson();
    await ask(actor, newAddress());
    const token = await confirmation(user.id);
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => confirm(token, actor)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await confirmFailure(token, actor)).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('works for 24 hours', async () => {
    const { actor, user } = await verifiedPerson();
    await ask(actor, newAddress());
    const token = await confirmation(user.id);
    identity.clock.advance(24 * hour);
    expect(await confirmFailure(token, actor)).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('is replaced when another change is asked for, also while its mail is still on its way', async () => {
    const { actor, user } = await verifiedPerson();
    await ask(actor, newAddress());
    const mail = await lastMail(user.id, 'confirm_email_change');
    const { token } = await mail.mint();
    const email = newAddress();
    await ask(actor, email);
    expect(await confirmFailure(token!, actor)).toMatchObject({ code: 'INVALID_TOKEN' });
    await expect(mail.mint()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await confirm(await confirmation(user.id), actor)).toMatchObject({ email });
  });

  it.each([
    [
      'changed',
      ({ actor }: Person) =>
        identity.request(PasswordChanges.change, actor, {
          current_password: goodPassword,
          new_password: 'kessel birke sturm',
          device: laptop,
        }),
    ],
    [
      'reset',
      async ({ user }: Person) => {
        const { token = '' } = await identity.mintMail(user.id, 'reset_password');
        const request = { token, new_password: 'kessel birke sturm', device: laptop };
        await identity.request(PasswordChanges.reset, undefined, request);
      },
    ],
  ])('is void once the password is %s, as somebody else may have asked for it', async (_, act) => {
    const person = await verifiedPerson();
    await ask(person.actor, newAddress());
    const mail = await lastMail(person.user.id, 'confirm_email_change');
    const { token } = await mail.mint();
    await act(person);
    expect(await confirmFailure(token!, person.actor)).toMatchObject({ code: 'INVALID_TOKEN' });
    await expect(mail.mint()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('has one winner of two accounts that confirm the same address at the same moment', async () => {
    for (let round = 0; round < 5; round++) {
      const email = newAddress();
      const rivals = [await verifiedPerson(), await verifiedPerson()];
      const tokens: string[] = [];
      for (const { actor, user } of rivals) {
        await ask(actor, email);
        tokens.push(await confirmation(user.id));
        identity.clock.advance(minute);
      }
      const tries = await Promise.allSettled(
        rivals.map(({ actor }, index) => confirm(tokens[index]!, actor)),
      );
      const lost = tries.filter((one) => one.status === 'rejected');
      expect(lost.map(({ reason }) => (reason as { code: string }).code)).toEqual(['EMAIL_TAKEN']);
      const owners = await Promise.all(rivals.map(({ user }) => addressOf(user.id)));
      expect(owners.filter((owner) => owner.email === email)).toHaveLength(1);
    }
  }, 20_000);

  it('makes the links void that the old mailbox got', async () => {
    const person = await verifiedPerson();
    const { token = '' } = await identity.mintMail(person.user.id, 'reset_password');
    await changeTo(person);
    const request = { token, new_password: 'kessel birke sturm', device: laptop };
    expect(await identity.failure(PasswordChanges.reset, undefined, request)).toMatchObject({
      code: 'INVALID_TOKEN',
    });
  });
});

describe('the old mailbox', () => {
  it('gets a link that takes the account back: everybody is signed out, and no password works', async () => {
    const person = await verifiedPerson();
    const { actor, user } = person;
    const email = await changeTo(person);
    const mail = await (await lastMail(user.id, 'undo_email_change')).mint();
    expect(mail).toMatchObject({ email: user.email, full_name: 'Ada Lovelace' });
    // What whoever took the account over still has in hand.
    const reset = await identity.mintMail(user.id, 'reset_password');
    await ask(actor, newAddress());
    const further = await confirmation(user.id);

    expect(await undo(mail.token!)).toMatchObject({ email: user.email });
    expect(await addressOf(user.id)).toEqual({ email: user.email, email_verified: true });
    const { refresh_token } = person;
    expect(
      await identity.failure(Auth.refresh, undefined, { refresh_token, device: laptop }),
    ).toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
    for (const address of [user.email, email]) {
      const login = { email: address, password: goodPassword, device: laptop };
      expect(await identity.failure(Auth.login, undefined, login)).toMatchObject({
        code: 'INVALID_CREDENTIALS',
      });
    }
    const resetting = { token: reset.token!, new_password: 'kessel birke sturm', device: laptop };
    expect(await identity.failure(PasswordChanges.reset, undefined, resetting)).toMatchObject({
      code: 'INVALID_TOKEN',
    });
    expect(await confirmFailure(further, actor)).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('takes away what a thief added to sign in with, and leaves what the owner had', async () => {
    const person = await verifiedPerson();
    const { id } = person.user;
    const add = (subject: string) =>
      identity.dataSource.query(
        `WITH key AS (
           INSERT INTO passkeys (user_id, user_handle, credential_id, public_key, counter, transports, backed_up, name, created_at)
           VALUES ($1, '', $3::bytea, '', 0, '{}', false, $2, $4))
         INSERT INTO linked_identities (issuer, subject, user_id, linked_at) VALUES ($2, $2, $1, $4)`,
        [id, subject, Buffer.from(`${subject} ${id}`), identity.clock.now()],
      );
    await add('owner');
    identity.clock.advance(25 * hour);
    const { actor } = person;
    await identity.dataSource.query('UPDATE sessions SET authenticated_at = $2 WHERE id = $1', [
      actor.session_id,
      identity.clock.now(),
    ]);
    await identity.request(SecondFactors.enrolTotp, actor, { device: laptop });
    await add('thief before');
    await changeTo(person);
    await add('thief after');
    await undo(await undoLink(id));
    const left = await identity.dataSource.query<{ way: string }[]>(
      `SELECT name AS way FROM passkeys WHERE user_id = $1
       UNION ALL SELECT issuer FROM linked_identities WHERE user_id = $1
       UNION ALL SELECT 'totp' FROM totp_factors WHERE user_id = $1`,
      [id],
    );
    expect(left.map(({ way }) => way)).toEqual(['owner', 'owner']);
  });

  it('gets a mail for a new password after that', async () => {
    const person = await verifiedPerson();
    const id = person.user.id;
    await changeTo(person);
    await undo(await undoLink(id));
    const mails = await identity.events('identity.user.mail_requested', id);
    expect(mails.at(-1)).toEqual({ user_id: id, mail: 'reset_password', ref: null });
    const { token, email } = await identity.mintMail(id, 'reset_password');
    expect(email).toBe(person.user.email);
    const request = { token: token!, new_password: goodPassword, device: laptop };
    await identity.request(PasswordChanges.reset, undefined, request);
    expect((await identity.signIn(email)).user.id).toBe(id);
  });

  it('can use its link once, also 5 times at the same moment, and for 72 hours', async () => {
    const person = await verifiedPerson();
    await changeTo(person);
    const token = await undoLink(person.user.id);
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => undo(token)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await undoFailure(token)).toMatchObject({ code: 'INVALID_TOKEN' });

    const late = await verifiedPerson();
    await changeTo(late);
    const expired = await undoLink(late.user.id);
    identity.clock.advance(72 * hour);
    expect(await undoFailure(expired)).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('keeps its link when the thief changes the address again, whose own link is void then', async () => {
    const person = await verifiedPerson();
    await changeTo(person);
    const owners = await undoLink(person.user.id);
    await changeTo(person);
    const thiefs = await undoLink(person.user.id);
    await undo(owners);
    expect(await addressOf(person.user.id)).toMatchObject({ email: person.user.email });
    expect(await undoFailure(thiefs)).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('keeps its link when the thief changes or resets the password', async () => {
    const person = await verifiedPerson();
    await changeTo(person);
    const token = await undoLink(person.user.id);
    await identity.request(PasswordChanges.change, person.actor, {
      current_password: goodPassword,
      new_password: 'kessel birke sturm',
      device: laptop,
    });
    const { token: reset = '' } = await identity.mintMail(person.user.id, 'reset_password');
    const request = { token: reset, new_password: 'fichte kanne moos', device: laptop };
    await identity.request(PasswordChanges.reset, undefined, request);
    expect(await undo(token)).toMatchObject({ email: person.user.email });
  });

  it('has no say when it was never verified, as it may be a stranger’s', async () => {
    const person = await identity.signUp();
    const { id } = person.user;
    await changeTo(person);
    await expect(lastMail(id, 'undo_email_change')).rejects.toThrow('No undo_email_change');
    expect(await addressOf(id)).toMatchObject({ email_verified: true });
    expect(await identity.events('identity.user.email_verified', id)).toHaveLength(1);
    await identity.register({ email: person.user.email });
  });

  it('has its address back without a link when the owner changes back', async () => {
    const person = await verifiedPerson();
    const away = await changeTo(person);
    await changeTo(person, person.user.email);
    expect(await addressOf(person.user.id)).toMatchObject({ email: person.user.email });
    await identity.register({ email: away });
  });
});

describe('an address that was given up', () => {
  it('is reserved for 72 hours, against registrations and other changes', async () => {
    const person = await verifiedPerson();
    const { email } = person.user;
    await changeTo(person);
    expect(await registrationFailure(email)).toBe('EMAIL_TAKEN');
    identity.clock.advance(72 * hour - minute);
    expect(await registrationFailure(email)).toBe('EMAIL_TAKEN');
    identity.clock.advance(minute);
    await identity.register({ email });
  });

  it('is reserved by the database, also when the code forgets', async () => {
    const person = await verifiedPerson();
    await changeTo(person);
    const other = await verifiedPerson();
    await expect(
      identity.dataSource.query('UPDATE users SET email = $2 WHERE id = $1', [
        other.user.id,
        person.user.email,
      ]),
    ).rejects.toMatchObject({ constraint: 'users_email_reserved' });
  });

  it('does not slip to a registration at the very moment of the change', async () => {
    const person = await verifiedPerson();
    const { email, id } = person.user;
    // The change has given the address up and is about to commit, when the registration comes.
    const runner = identity.dataSource.createQueryRunner();
    await runner.startTransaction();
    try {
      await runner.query(`UPDATE users SET email = $2 WHERE id = $1`, [id, newAddress()]);
      await runner.query(
        `INSERT INTO former_emails (user_id, email, changed_at, reserved_until)
         VALUES ($1, $2, now(), now() + interval '1 year')`,
        [id, email],
      );
      // With a username of its own, as one that is taken would be tried again under another.
      const registration = registrationFailure(email, 'quick-one');
      await expect
        .poll(async () => {
          const [row] = await identity.dataSource.query<{ waiting: boolean }[]>(
            `SELECT EXISTS (SELECT FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event = 'transactionid'
                 AND query LIKE 'INSERT INTO "users"%') AS waiting`,
          );
          return row?.waiting;
        })
        .toBe(true);
      await runner.commitTransaction();
      expect(await registration).toBe('EMAIL_TAKEN');
    } finally {
      if (runner.isTransactionActive) await runner.rollbackTransaction();
      await runner.release();
    }
  });

  it('is forgotten with everything of the change, once that is over', async () => {
    const person = await verifiedPerson();
    await changeTo(person);
    await ask(person.actor, newAddress());
    identity.clock.advance(73 * hour);
    await identity.replicas[0]!.app.get(Housekeeping).sweep();
    const [left] = await identity.dataSource.query<{ count: number }[]>(
      `SELECT (SELECT count(*) FROM email_changes WHERE user_id = $1) +
         (SELECT count(*) FROM former_emails WHERE user_id = $1) AS count`,
      [person.user.id],
    );
    expect(Number(left?.count)).toBe(0);
  });
});

describe('the audit trail', () => {
  it('names who asked for, confirmed and undid a change, and who was refused', async () => {
    const person = await verifiedPerson();
    const { actor, user } = person;
    await changeTo(person);
    const token = await undoLink(user.id);
    await confirmFailure('made-up');
    await undo(token);
    await undoFailure(token);
    const here = { ip: laptop.ip, user_agent: laptop.user_agent };
    const there = { ip: phone.ip, user_agent: phone.user_agent };
    const { session_id } = actor;
    const who = { actor_id: user.id, user_id: user.id, session_id, ...here, detail: {} };
    const nobody = { actor_id: null, session_id: null, ...there };
    const refused = { outcome: 'failure', user_id: null, detail: { code: 'INVALID_TOKEN' } };
    expect((await identity.auditOf('email.change_request')).at(-1)).toEqual({
      outcome: 'success',
      ...who,
    });
    expect((await identity.auditOf('email.change')).slice(-2)).toEqual([
      { outcome: 'success', ...who },
      { ...refused, ...nobody },
    ]);
    expect((await identity.auditOf('email.undo_change')).slice(-2)).toEqual([
      {
        outcome: 'success',
        ...nobody,
        user_id: user.id,
        detail: { passkeys: 0, totp_factors: 0, linked_identities: 0, recovery_codes: 0 },
      },
      { ...refused, ...nobody },
    ]);
  });
});
