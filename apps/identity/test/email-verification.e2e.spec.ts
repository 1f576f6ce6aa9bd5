import { Auth, type Caller, EmailVerification, Sessions, Users } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UnverifiedExpiry } from '../src/housekeeping/unverified-expiry.js';
import { goodPassword, IdentityFixture, laptop } from './fixture.js';

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_verification');
});
afterAll(() => identity.stop());

const requested = 'identity.user.mail_requested';

async function mint(user_id: number) {
  const { token = '', ...contact } = await identity.mintMail(user_id, 'verify_email');
  return { token, ...contact };
}

/** With the session of `actor`; without one, with the password that every account of these tests has. */
function proof(token: string, actor?: Caller, password = actor ? undefined : goodPassword) {
  return [actor, { token, password, device: laptop }] as const;
}

function verify(...given: Parameters<typeof proof>) {
  return identity.request(EmailVerification.verify, ...proof(...given));
}

function verifyFailure(...given: Parameters<typeof proof>) {
  return identity.failure(EmailVerification.verify, ...proof(...given));
}

const day = 86_400_000;

function sweep(): Promise<void> {
  return identity.replicas[0]!.app.get(UnverifiedExpiry).sweep();
}

async function exists(id: number): Promise<boolean> {
  const { people } = await identity.request(Users.people, undefined, { ids: [id] });
  return people.length === 1;
}

describe('verifying the email address', () => {
  it('works with the token that the mailer requested', async () => {
    const user = await identity.register({ locale: 'ru' });
    const { token, ...contact } = await mint(user.id);
    expect(contact).toMatchObject({ user_id: user.id, email: user.email, locale: 'ru' });
    // The name may be that of anybody: the address is not proven yet.
    expect(contact).not.toHaveProperty('full_name');
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect(await verify(token)).toEqual({
      message: 'The email address is verified.',
      email: user.email,
    });
    expect(await identity.events('identity.user.email_verified', user.id)).toEqual([
      { user_id: user.id },
    ]);
    const { email_verified } = await identity.request(Users.contact, undefined, {
      user_id: user.id,
    });
    expect(email_verified).toBe(true);
  });

  it('works with the session of the account, without a password', async () => {
    const { actor, user } = await identity.signUp();
    const { token } = await mint(user.id);
    expect(await verify(token, actor)).toMatchObject({ email: user.email });
  });

  it('does not give somebody else an account by the click of the owner of the address', async () => {
    // Registered by an attacker, who never sees the mail; its reader has another account, or none.
    const attackers = await identity.register({ email: 'victim@example.com' });
    const victim = await identity.signUp();
    const { token } = await mint(attackers.id);
    for (const actor of [victim.actor, undefined]) {
      const refusal = await identity.failure(EmailVerification.verify, actor, {
        token,
        device: laptop,
      });
      expect(refusal).toMatchObject({
        code: 'UNAUTHENTICATED',
        detail: expect.stringContaining('send the password of the account'),
      });
    }
    expect(await verifyFailure(token, undefined, 'not the password')).toMatchObject({
      code: 'INVALID_CREDENTIALS',
    });
    const { email_verified } = await identity.request(Users.contact, undefined, {
      user_id: attackers.id,
    });
    expect(email_verified).toBe(false);
    expect(await verify(token)).toMatchObject({ email: 'victim@example.com' });
  });

  it('is no way around the limit of failed sign-ins', async () => {
    const { id } = await identity.register();
    const { token } = await mint(id);
    const device = { user_agent: 'Guesser', ip: '192.0.2.99' };
    const guess = (password: string) =>
      identity.failure(EmailVerification.verify, undefined, { token, password, device });
    for (let n = 0; n < 10; n++) expect((await guess('guess')).code).toBe('INVALID_CREDENTIALS');
    expect((await guess(goodPassword)).code).toBe('RATE_LIMITED');
  });

  it('works once, also when the link is opened 5 times at the same moment', async () => {
    const {
      actor,
      user: { id },
    } = await identity.signUp();
    const { token } = await mint(id);
    const tries = await Promise.allSettled(Array.from({ length: 5 }, () => verify(token, actor)));
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await verifyFailure(token)).toMatchObject({ code: 'INVALID_TOKEN' });
    expect(await identity.events('identity.user.email_verified', id)).toHaveLength(1);
  });

  it('works for 24 hours', async () => {
    const { id } = await identity.register();
    const { token } = await mint(id);
    identity.clock.advance(24 * 3_600_000);
    expect(await verifyFailure(token)).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('works with the newest link only', async () => {
    const { id, email } = await identity.register();
    const older = await mint(id);
    const newer = await mint(id);
    expect(await verifyFailure(older.token)).toMatchObject({ code: 'INVALID_TOKEN' });
    expect(await verify(newer.token)).toMatchObject({ email });
  });

  it('does not work with a made-up token', async () => {
    expect(await verifyFailure('made-up')).toMatchObject({ code: 'INVALID_TOKEN' });
  });

  it('keeps only the hash of the token', async () => {
    const { id } = await identity.register();
    const { token } = await mint(id);
    const [row] = await identity.dataSource.query<{ token_hash: Buffer }[]>(
      'SELECT token_hash FROM mail_tokens WHERE user_id = $1',
      [id],
    );
    expect(row?.token_hash).toHaveLength(32);
    expect(row?.token_hash.equals(Buffer.from(token, 'base64url'))).toBe(false);
  });
});

describe('asking for the verification mail again', () => {
  it('answers the same for the known, the verified and the unknown, and writes to the first only', async () => {
    const known = await identity.register();
    const verified = await identity.register();
    await verify((await mint(verified.id)).token);
    const before = await identity.events(requested);

    const answers = [];
    for (const email of [known.email, verified.email, 'nobody@example.com']) {
      answers.push(
        await identity.request(EmailVerification.send, undefined, { email, device: laptop }),
      );
    }
    expect(answers[0]).toEqual({ message: expect.any(String), expires_in_hours: 24 });
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    expect(await identity.events(requested)).toEqual([
      ...before,
      { user_id: known.id, mail: 'verify_email', ref: null },
    ]);
  });

  it('writes at most one mail an address and minute', async () => {
    const { id, email } = await identity.register();
    const send = () =>
      identity.request(EmailVerification.send, undefined, { email, device: laptop });
    await Promise.all([send(), send(), send()]);
    // The first came with the registration.
    expect(await identity.events(requested, id)).toHaveLength(2);
    identity.clock.advance(60_000);
    await send();
    expect(await identity.events(requested, id)).toHaveLength(3);
  });
});

describe('an account whose address is not verified', () => {
  it('expires after 7 days, and its address and username are free again', async () => {
    const names = { email: 'squatted@example.com', username: 'squatted' };
    const { id } = await identity.register(names);
    identity.clock.advance(7 * day - 1);
    await sweep();
    expect(await exists(id)).toBe(true);
    identity.clock.advance(1);
    await sweep();
    expect(await exists(id)).toBe(false);
    expect(await identity.events('identity.user.expired', id)).toEqual([{ user_id: id }]);
    expect((await identity.register(names)).username).toBe('squatted');
  });

  it('does not expire when it was verified in time', async () => {
    const { id } = await identity.register();
    await verify((await mint(id)).token);
    identity.clock.advance(30 * day);
    await sweep();
    expect(await exists(id)).toBe(true);
  });

  it('is signed out when it expires, and deleted once no access token of it is left', async () => {
    const { email, id } = await identity.register();
    identity.clock.advance(7 * day - 60_000);
    const { actor, refresh_token } = await identity.signIn(email);
    identity.clock.advance(60_000);
    expect(
      await identity.failure(Auth.login, undefined, {
        email,
        password: goodPassword,
        device: laptop,
      }),
    ).toMatchObject({ code: 'INVALID_CREDENTIALS' });
    await sweep();
    const { sessions } = await identity.request(Sessions.revoked, undefined, {});
    expect(sessions.map(({ session_id }) => session_id)).toContain(actor.session_id);
    expect(
      await identity.failure(Auth.refresh, undefined, { refresh_token, device: laptop }),
    ).toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
    expect(await exists(id)).toBe(true);
    identity.clock.advance(30 * 60_000);
    await sweep();
    expect(await exists(id)).toBe(false);
  });

  it('is one of many, which are deleted in batches, by any number of replicas at once', async () => {
    await identity.dataSource.query(
      `INSERT INTO users (email, username, full_name, password_hash, requested_role, timezone, locale, created_at, verify_by)
       SELECT 'bot' || n || '@example.com', 'bot' || n, 'Bot', 'none', 'student', 'UTC', 'en', $1, $1
       FROM generate_series(1, 250) AS n`,
      [identity.clock.now()],
    );
    await identity.addReplica();
    await Promise.all(identity.replicas.map(({ app }) => app.get(UnverifiedExpiry).sweep()));
    await sweep();
    const [left] = await identity.dataSource.query<{ count: number }[]>(
      `SELECT count(*) AS count FROM users WHERE email LIKE 'bot%'`,
    );
    expect(left?.count).toBe(0);
    const events = await identity.events('identity.user.expired');
    expect(new Set(events.map(({ user_id }) => user_id)).size).toBe(events.length);
  });

  it('from before the rule stays, as it may have bookings', async () => {
    const { id } = await identity.register();
    await identity.dataSource.query('UPDATE users SET verify_by = NULL WHERE id = $1', [id]);
    identity.clock.advance(30 * day);
    await sweep();
    expect(await exists(id)).toBe(true);
  });
});
