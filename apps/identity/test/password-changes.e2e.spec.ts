import { createHash } from 'node:crypto';
import {
  Auth,
  type Caller,
  EmailVerification,
  PasswordChanges,
  SecondFactors,
  Users,
} from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { goodPassword, IdentityFixture, laptop, phone } from './fixture.js';

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_password_changes');
});
afterAll(() => identity.stop());

const newPassword = 'kessel birke sturm';
const minute = 60_000;
const changed = 'identity.user.password_changed';

/** Where nobody else's failures count. */
let networks = 0;
const elsewhere = () => ({ user_agent: 'Phone', ip: `192.0.2.${(networks += 1)}` });

function forgot(email: string, device = laptop) {
  return identity.request(PasswordChanges.forgot, undefined, { email, device });
}

async function resetToken(userId: number): Promise<string> {
  const { token = '' } = await identity.mintMail(userId, 'reset_password');
  return token;
}

function reset(token: string, new_password = newPassword) {
  return identity.request(PasswordChanges.reset, undefined, { token, new_password, device: phone });
}

function resetFailure(token: string, new_password = newPassword) {
  const request = { token, new_password, device: phone };
  return identity.failure(PasswordChanges.reset, undefined, request);
}

function signInFailure(email: string, password: string) {
  return identity.failure(Auth.login, undefined, { email, password, device: elsewhere() });
}

function signInWith(email: string, password: string) {
  return identity.request(Auth.login, undefined, { email, password, device: elsewhere() });
}

function change(actor: Caller, current_password: string | undefined, new_password = newPassword) {
  const request = { current_password, new_password, device: laptop };
  return identity.request(PasswordChanges.change, actor, request);
}

function changeFailure(
  actor: Caller,
  current_password: string | undefined,
  new_password = newPassword,
) {
  const request = { current_password, new_password, device: laptop };
  return identity.failure(PasswordChanges.change, actor, request);
}

/** The mails that were asked for, for a user. */
async function resetMails(userId: number): Promise<unknown[]> {
  const mails = await identity.events('identity.user.mail_requested', userId);
  return mails.filter(({ mail }) => mail === 'reset_password');
}

async function isRevoked({ session_id }: Caller): Promise<boolean> {
  const [row] = await identity.dataSource.query<{ ended: boolean }[]>(
    'SELECT revoked_at IS NOT NULL AS ended FROM sessions WHERE id = $1',
    [session_id],
  );
  return row!.ended;
}

function set(id: number, column: string): Promise<unknown> {
  return identity.dataSource.query(`UPDATE users SET ${column} WHERE id = $1`, [id]);
}

describe('a forgotten password', () => {
  it('is replaced with the link of a mail', async () => {
    const { email, id } = await identity.register();
    await forgot(email);
    expect(await resetMails(id)).toEqual([{ user_id: id, mail: 'reset_password', ref: null }]);
    const token = await resetToken(id);
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect(await reset(token)).toEqual({ message: expect.stringContaining('Sign in') });
    expect((await signInFailure(email, goodPassword)).code).toBe('INVALID_CREDENTIALS');
    expect((await signInWith(email, newPassword)).user.id).toBe(id);
    expect(await identity.events(changed, id)).toEqual([{ user_id: id }]);
  });

  it('gets the same answer whether the address is known, unverified, deactivated or unknown', async () => {
    const verified = await identity.signUp();
    await identity.verify(verified);
    const unverified = await identity.register();
    const deactivated = await identity.register();
    await set(deactivated.id, 'is_active = false');
    const addresses = [
      verified.user.email,
      unverified.email,
      deactivated.email,
      'nobody@x.example',
    ];
    const answers = [];
    for (const email of addresses) answers.push(await forgot(email));
    expect(answers[0]).toEqual({ message: expect.any(String), expires_in_hours: 1 });
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    const mails = await Promise.all(
      [verified.user.id, unverified.id, deactivated.id].map((id) => resetMails(id)),
    );
    expect(mails.map(({ length }) => length)).toEqual([1, 1, 0]);
  });

  it('brings one mail at a time, at pauses that grow with their number to an hour', async () => {
    const { email, id } = await identity.register();
    await Promise.all([forgot(email), forgot(email), forgot(email)]);
    expect(await resetMails(id)).toHaveLength(1);
    for (const [index, pause] of [1, 5, 15, 60, 60].entries()) {
      identity.clock.advance(pause * minute - 1);
      await forgot(email);
      expect(await resetMails(id)).toHaveLength(index + 1);
      identity.clock.advance(1);
      await forgot(email.toUpperCase());
      expect(await resetMails(id)).toHaveLength(index + 2);
    }
    // A day after the first.
    identity.clock.advance(24 * 60 * minute);
    for (let n = 0; n < 2; n++) {
      await forgot(email);
      identity.clock.advance(minute);
    }
    expect(await resetMails(id)).toHaveLength(8);
  });

  it('brings no name to an address that is not verified, as that may be the text of a stranger', async () => {
    const person = await identity.signUp();
    const id = person.user.id;
    expect(await identity.mintMail(id, 'reset_password')).not.toHaveProperty('full_name');
    await identity.verify(person);
    expect(await identity.mintMail(id, 'reset_password')).toMatchObject({
      full_name: 'Ada Lovelace',
    });
  });
});

describe('the link that sets a new password', () => {
  it('works once, also when it is opened 5 times at the same moment', async () => {
    const { id } = await identity.register();
    const token = await resetToken(id);
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => reset(token)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await resetFailure(token)).toMatchObject({ code: 'INVALID_TOKEN' });
    expect(await identity.events(changed, id)).toHaveLength(1);
  });

  it('works for an hour', async () => {
    const { id } = await identity.register();
    const token = await resetToken(id);
    identity.clock.advance(60 * minute);
    expect(await resetFailure(token)).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('is replaced by a newer one', async () => {
    const { id } = await identity.register();
    const older = await resetToken(id);
    const newer = await resetToken(id);
    expect(await resetFailure(older)).toMatchObject({ code: 'INVALID_TOKEN' });
    await reset(newer);
  });

  it('is void once the password was changed in another way', async () => {
    const { actor, user } = await identity.signUp();
    const token = await resetToken(user.id);
    await change(actor, goodPassword);
    expect(await resetFailure(token, 'fichte kanne moos')).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('does not verify an address, nor does the link that verifies one set a password', async () => {
    const { actor, user } = await identity.signUp();
    const token = await resetToken(user.id);
    const verification = await identity.mintMail(user.id, 'verify_email');
    expect(
      await identity.failure(EmailVerification.verify, actor, { token, device: laptop }),
    ).toMatchObject({ code: 'INVALID_TOKEN' });
    expect(await resetFailure(verification.token!)).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('stays usable after a password that is refused, whose fault is named', async () => {
    const { email, id } = await identity.register();
    const token = await resetToken(id);
    for (const password of ['password123', email, 'Ada Lovelace']) {
      const refusal = await resetFailure(token, password);
      expect(refusal.code).toBe('VALIDATION_FAILED');
      expect(refusal.errors).toEqual([
        { field: 'new_password', message: expect.stringMatching(/^new_password /) },
      ]);
    }
    expect(await identity.events(changed, id)).toEqual([]);
    await reset(token);
  });

  it('signs out every device, at once', async () => {
    const { actor, user, refresh_token } = await identity.signUp();
    const other = await identity.signIn(user.email, phone);
    await reset(await resetToken(user.id));
    expect(await isRevoked(actor)).toBe(true);
    expect(await isRevoked(other.actor)).toBe(true);
    expect(await identity.events('identity.session.revoked', actor.session_id)).toHaveLength(1);
    expect(
      await identity.failure(Auth.refresh, undefined, { refresh_token, device: laptop }),
    ).toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
  });

  it('verifies the address, since it proves the mailbox', async () => {
    const { id } = await identity.register();
    await reset(await resetToken(id));
    const contact = await identity.request(Users.contact, undefined, { user_id: id });
    expect(contact.email_verified).toBe(true);
    expect(await identity.events('identity.user.email_verified', id)).toHaveLength(1);
  });

  it('takes an account back from a stranger who registered the address', async () => {
    const stranger = await identity.signUp();
    const { email, id } = stranger.user;
    const verification = await identity.mintMail(id, 'verify_email');
    await identity.request(SecondFactors.enrolTotp, stranger.actor, { device: laptop });
    await identity.dataSource.query(
      `INSERT INTO linked_identities (issuer, subject, user_id, linked_at) VALUES ('x', 'stranger', $1, $2)`,
      [id, identity.clock.now()],
    );
    await reset(await resetToken(id));
    const left = await identity.dataSource.query<unknown[]>(
      `SELECT 1 FROM linked_identities WHERE user_id = $1
       UNION ALL SELECT 1 FROM totp_factors WHERE user_id = $1`,
      [id],
    );
    expect(left).toEqual([]);
    expect(await isRevoked(stranger.actor)).toBe(true);
    expect((await signInFailure(email, goodPassword)).code).toBe('INVALID_CREDENTIALS');
    const leftOver = { token: verification.token!, password: goodPassword, device: laptop };
    expect(await identity.failure(EmailVerification.verify, undefined, leftOver)).toMatchObject({
      code: 'INVALID_TOKEN',
    });
  });

  it('sets the first password of an account without one', async () => {
    const { email, id } = await identity.register();
    await set(id, 'password_hash = NULL');
    await reset(await resetToken(id));
    expect((await signInWith(email, newPassword)).user.id).toBe(id);
  });

  it('ends the waiting times of failed sign-ins', async () => {
    const { email, id } = await identity.register();
    const device = elsewhere();
    const signIn = (password: string) =>
      identity.failure(Auth.login, undefined, { email, password, device });
    for (let n = 0; n < 10; n++) await signIn('not the password');
    expect((await signIn(goodPassword)).code).toBe('RATE_LIMITED');
    await reset(await resetToken(id));
    const answer = await identity.request(Auth.login, undefined, {
      email,
      password: newPassword,
      device,
    });
    expect(answer.user.id).toBe(id);
  });

  it('is not sent to, and does not work for, an account that was deactivated or expires', async () => {
    const [deactivated, expiring] = [await identity.register(), await identity.register()];
    const tokens = [await resetToken(deactivated.id), await resetToken(expiring.id)];
    await set(deactivated.id, 'is_active = false');
    await set(expiring.id, `verify_by = '2026-01-01'`);
    for (const [index, { id }] of [deactivated, expiring].entries()) {
      expect(await resetFailure(tokens[index]!)).toMatchObject({ code: 'INVALID_TOKEN' });
      await expect(identity.mintMail(id, 'reset_password')).rejects.toMatchObject({
        code: 'NOT_FOUND',
      });
    }
  });

  it('is stored as a hash', async () => {
    const { id } = await identity.register();
    const token = await resetToken(id);
    const [row] = await identity.dataSource.query<{ token_hash: Buffer }[]>(
      `SELECT token_hash FROM mail_tokens WHERE user_id = $1 AND purpose = 'reset_password'`,
      [id],
    );
    expect(row?.token_hash).toHaveLength(32);
    expect(row?.token_hash.equals(Buffer.from(token, 'base64url'))).toBe(false);
  });
});

describe('changing the password', () => {
  it('takes the current one, and ends the other sessions only', async () => {
    const { actor, user, refresh_token } = await identity.signUp();
    const other = await identity.signIn(user.email, phone);
    expect(await change(actor, goodPassword)).toBeUndefined();
    expect([await isRevoked(actor), await isRevoked(other.actor)]).toEqual([false, true]);
    await identity.request(Auth.refresh, undefined, { refresh_token, device: laptop });
    expect((await signInFailure(user.email, goodPassword)).code).toBe('INVALID_CREDENTIALS');
    await signInWith(user.email, newPassword);
    expect(await identity.events(changed, user.id)).toEqual([{ user_id: user.id }]);
  });

  it('is refused without the current one, or with a wrong one', async () => {
    const { actor } = await identity.signUp();
    expect(await changeFailure(actor, undefined)).toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ field: 'current_password', message: expect.stringContaining('missing') }],
    });
    expect(await changeFailure(actor, 'not the password')).toMatchObject({
      code: 'INVALID_CREDENTIALS',
      errors: [{ field: 'current_password', message: expect.any(String) }],
    });
    await change(actor, goodPassword);
  });

  it('is no way around the limit of failed sign-ins', async () => {
    const { actor, user } = await identity.signUp();
    const device = elsewhere();
    const guess = (current_password: string) =>
      identity.failure(PasswordChanges.change, actor, {
        current_password,
        new_password: newPassword,
        device,
      });
    for (let n = 0; n < 10; n++) expect((await guess('guess')).code).toBe('INVALID_CREDENTIALS');
    expect((await guess(goodPassword)).code).toBe('RATE_LIMITED');
    expect(
      await identity.failure(Auth.login, undefined, {
        email: user.email,
        password: goodPassword,
        device,
      }),
    ).toMatchObject({ code: 'RATE_LIMITED' });
  });

  it('refuses a new one that is too easy, and changes nothing then', async () => {
    const { actor, user } = await identity.signUp();
    expect(await changeFailure(actor, goodPassword, user.email)).toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ field: 'new_password', message: expect.any(String) }],
    });
    await signInWith(user.email, goodPassword);
  });

  it('has one winner of two at the same moment', async () => {
    const { actor, user } = await identity.signUp();
    const wanted = ['kessel birke sturm', 'fichte kanne moos'];
    const tries = await Promise.allSettled(
      wanted.map((password) => change(actor, goodPassword, password)),
    );
    const won = tries.map(({ status }) => status === 'fulfilled');
    expect(won.filter(Boolean)).toHaveLength(1);
    const works = await Promise.allSettled(wanted.map((one) => signInWith(user.email, one)));
    expect(works.map(({ status }) => status === 'fulfilled')).toEqual(won);
  });

  it('gives an account without a password its first one, soon after a proof only', async () => {
    const { actor, user } = await identity.signUp();
    await set(user.id, 'password_hash = NULL');
    identity.clock.advance(10 * minute);
    expect(await changeFailure(actor, undefined)).toMatchObject({
      code: 'REAUTHENTICATION_REQUIRED',
    });
    expect(await changeFailure(actor, goodPassword)).toMatchObject({
      code: 'REAUTHENTICATION_REQUIRED',
    });
    await identity.dataSource.query('UPDATE sessions SET authenticated_at = $2 WHERE id = $1', [
      actor.session_id,
      identity.clock.now(),
    ]);
    await change(actor, undefined);
    await signInWith(user.email, newPassword);
  });
});

describe('the audit trail', () => {
  it('names who asked for, set and changed passwords, and who was refused', async () => {
    const { actor, user } = await identity.signUp();
    const { session_id } = actor;
    await forgot(user.email, phone);
    await forgot('somebody@x.example', phone);
    await changeFailure(actor, 'not the password');
    await change(actor, goodPassword);
    await reset(await resetToken(user.id));
    await resetFailure('made-up');
    const here = { ip: laptop.ip, user_agent: laptop.user_agent };
    const there = { ip: phone.ip, user_agent: phone.user_agent };
    const nobody = { actor_id: null, session_id: null, detail: {} };

    const requests = await identity.auditOf('password.reset_request');
    expect(requests.slice(-2)).toEqual([
      { outcome: 'success', ...nobody, user_id: user.id, ...there },
      { outcome: 'success', ...nobody, user_id: null, ...there },
    ]);
    const who = { actor_id: user.id, user_id: user.id, session_id, ...here };
    const changes = await identity.auditOf('password.change');
    expect(changes.slice(-2)).toEqual([
      { outcome: 'failure', ...who, detail: { code: 'INVALID_CREDENTIALS' } },
      { outcome: 'success', ...who, detail: {} },
    ]);
    const resets = await identity.auditOf('password.reset');
    expect(resets.slice(-2)).toEqual([
      { outcome: 'success', ...nobody, user_id: user.id, ...there },
      { outcome: 'failure', ...nobody, user_id: null, ...there, detail: { code: 'INVALID_TOKEN' } },
    ]);
  });
});

describe('a new password by mail', () => {
  it('ends the delays of the account at once, however many networks have guessed', async () => {
    const { id, email } = await identity.register();
    const account = createHash('sha256').update(email).digest();
    await identity.dataSource.query(
      `INSERT INTO sign_in_failures (account_hash, source, failures, retry_at, last_failed_at)
       SELECT $1, n::text, 10, $2, $2 FROM generate_series(1, 10000) n`,
      [account, identity.clock.now()],
    );
    const { token = '' } = await identity.mintMail(id, 'reset_password');
    const query = vi.spyOn(identity.dataSource, 'query');
    await identity.request(PasswordChanges.reset, undefined, {
      token,
      new_password: newPassword,
      device: laptop,
    });
    const statements = query.mock.calls.filter(([sql]) => sql.includes('sign_in_failures'));
    query.mockRestore();
    expect(statements.length).toBeLessThan(3);
    const left = await identity.dataSource.query(
      'SELECT FROM sign_in_failures WHERE account_hash = $1',
      [account],
    );
    expect(left).toHaveLength(0);
  });
});

describe('the limits of a network', () => {
  let limited: IdentityFixture;

  beforeAll(async () => {
    limited = await IdentityFixture.start('identity_mail_limits', { MAIL_REQUESTS_PER_HOUR: '3' });
  });
  afterAll(() => limited.stop());

  it('allow so many mails an hour to be asked for, known addresses or not', async () => {
    const { email } = await limited.register();
    const ask = (address: string, device = laptop) =>
      limited.request(PasswordChanges.forgot, undefined, { email: address, device });
    const refused = async (address: string) => {
      const request = { email: address, device: laptop };
      const { code, detail } = await limited.failure(PasswordChanges.forgot, undefined, request);
      return { code, detail };
    };
    for (let n = 0; n < 3; n++) await ask(`nobody${n}@x.example`);
    const refusals = [await refused(email), await refused('nobody3@x.example')];
    expect(refusals[0]).toMatchObject({ code: 'RATE_LIMITED' });
    expect(refusals[1]).toEqual(refusals[0]);
    await ask(email, phone);
    const verification = { email, device: laptop };
    expect(await limited.failure(EmailVerification.send, undefined, verification)).toMatchObject({
      code: 'RATE_LIMITED',
    });
    limited.clock.advance(60 * minute);
    await ask(email);
  });

  it('allow 20 made-up tokens in 15 minutes, and any number that work', async () => {
    const device = { user_agent: 'Guesser', ip: '192.0.2.200' };
    const guess = (token: string) =>
      limited.failure(PasswordChanges.reset, undefined, {
        token,
        new_password: newPassword,
        device,
      });
    const { id } = await limited.register();
    const { token = '' } = await limited.mintMail(id, 'reset_password');
    for (let n = 0; n < 5; n++) {
      const refusal = await limited.failure(PasswordChanges.reset, undefined, {
        token,
        new_password: 'password123',
        device,
      });
      expect(refusal.code).toBe('VALIDATION_FAILED');
    }
    for (let n = 0; n < 20; n++) expect((await guess(`made-up ${n}`)).code).toBe('INVALID_TOKEN');
    expect((await guess('made-up')).code).toBe('RATE_LIMITED');
    expect((await guess(token)).code).toBe('RATE_LIMITED');
    limited.clock.advance(15 * minute);
    expect((await guess('made-up')).code).toBe('INVALID_TOKEN');
  });
});
