import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  Auth,
  type Caller,
  type EmailLoginAnswer,
  EmailLogin,
  type MemberRow,
  type MintedMail,
  SecondFactors,
  Users,
} from '@mentorhub/contracts';
import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StepUp } from '../src/auth/step-up.js';
import { actorOf, goodPassword, IdentityFixture, laptop, phone } from './fixture.js';

let identity: IdentityFixture;
let people = 0;

/** Another network each time, so that limits of one test do not reach the next. */
let networks = 0;
const elsewhere = () => {
  networks += 1;
  return { user_agent: 'Browser', ip: `192.0.2.${networks}` };
};

/** Secrets of cookies. */
const browser = 'b'.repeat(43);
const otherBrowser = 'o'.repeat(43);

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_email_login');
  await identity.addReplica();
});
afterAll(() => identity.stop());

/** A new member of the directory. */
async function member(changes: Partial<MemberRow> = {}): Promise<MemberRow> {
  people += 1;
  const row = {
    line: 2,
    email: `member${people}@example.com`,
    first_name: 'Grace',
    last_name: `Hopper ${people}`,
    membershiptype: 'Mentee',
    ...changes,
  };
  await identity.dataSource.query(
    `INSERT INTO members (email, first_name, last_name, membershiptype, updated_at) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (email) DO UPDATE SET membershiptype = excluded.membershiptype, joined_at = NULL`,
    [row.email, row.first_name, row.last_name, row.membershiptype, identity.clock.now()],
  );
  return row;
}

function ask(email: string, browser_token = browser, device = elsewhere()) {
  return identity.request(EmailLogin.request, undefined, { email, browser_token, device });
}

/** The mail that was asked for last, as the mailer gets it when it sends. */
async function lastMail(): Promise<MintedMail & { code: string; token: string }> {
  const events = await identity.events('identity.user.mail_requested');
  const { user_id, mail, ref } = events.at(-1) as { user_id: number; mail: string; ref: number };
  expect(mail).toBe('sign_in_code');
  const minted = await identity.mintMail(user_id, 'sign_in_code', ref);
  return minted as MintedMail & { code: string; token: string };
}

/** Asks for a mail and reads it. */
async function mailTo(email: string, browser_token = browser) {
  await ask(email, browser_token);
  const mail = await lastMail();
  expect(mail.email).toBe(email);
  return mail;
}

type Proof = { code: string } | { token: string };

function verify(email: string, proof: Proof, browser_token: string | null = browser) {
  return identity.request(EmailLogin.verify, undefined, {
    ...('code' in proof && { email }),
    ...proof,
    browser_token,
    device: elsewhere(),
  });
}

function failure(email: string, proof: Proof, browser_token: string | null = browser) {
  return identity.failure(EmailLogin.verify, undefined, {
    ...('code' in proof && { email }),
    ...proof,
    browser_token,
    device: elsewhere(),
  });
}

/** Signs in by the code of a mail. */
async function signIn(email: string): Promise<EmailLoginAnswer & { actor: Caller }> {
  const { code } = await mailTo(email);
  const answer = await verify(email, { code });
  return Object.assign(answer, { actor: actorOf(answer.access) });
}

/** A code that is not this one. */
const otherThan = (code: string) => (code === '000000' ? '000001' : '000000');

async function usersWith(email: string): Promise<Record<string, unknown>[]> {
  return identity.dataSource.query(
    'SELECT id, password_hash, email_verified_at, full_name, username, is_mentor FROM users WHERE email = $1',
    [email],
  );
}

describe('a sign-in with an email address alone', () => {
  it('works by the code of the mail, and opens the account of a member the first time', async () => {
    const { email } = await member({ membershiptype: 'Student' });
    expect(await ask(email.toUpperCase())).toEqual({
      detail: expect.any(String),
      expires_in: 600,
    });
    expect(await usersWith(email)).toEqual([]);
    const { code, ...mail } = await lastMail();
    expect(mail).toMatchObject({ user_id: 0, email, email_verified: false });
    expect(mail).not.toHaveProperty('full_name');
    const answer = await verify(email, { code });
    const [user] = await usersWith(email);
    expect(user).toMatchObject({ password_hash: null, email_verified_at: identity.clock.now() });
    expect(answer).toEqual({
      access: expect.any(String),
      refresh: expect.any(String),
      user: {
        id: user!['id'],
        email,
        first_name: 'Grace',
        last_name: expect.stringContaining('Hopper'),
        user_name: expect.stringMatching(/^grace\.hopper/),
        role: 'mentee',
        is_mentor: false,
        is_mentee: true,
        approval_status: 'not_required',
      },
      redirect_to: '/community/mentorship',
    });
    const me = await identity.request(Users.me, actorOf(answer.access), {});
    expect(me).toMatchObject({ email, email_verified: true });
    expect(
      await identity.request(Auth.refresh, undefined, {
        refresh_token: answer.refresh,
        device: laptop,
      }),
    ).toMatchObject({ token_type: 'bearer' });
  });

  it.each([
    ['Mentor', 'mentor', '/community/mentorship/mentor'],
    ['mentor, mentee', 'mentor_mentee', '/community/mentorship'],
    ['', 'mentee', '/community/mentorship'],
  ])('leads a member with the membershiptype %j, a %s, to %s', async (type, role, redirect) => {
    const { email } = await member({ membershiptype: type });
    const { user, redirect_to } = await signIn(email);
    expect({ role: user.role, redirect_to }).toEqual({ role, redirect_to: redirect });
  });

  it('publishes the mentor of the directory once, and once more after another membershiptype', async () => {
    const { email } = await member({ membershiptype: 'mentee' });
    const { user } = await signIn(email);
    identity.clock.advance(60_000);
    await signIn(email);
    const joined = () => identity.events('identity.user.member_joined', user.id);
    const facts = { user_id: user.id, timezone: 'UTC' };
    expect(await joined()).toEqual([{ ...facts, is_mentor: false, is_mentee: true }]);
    await member({ email, membershiptype: 'Mentor' });
    identity.clock.advance(60_000);
    await signIn(email);
    expect((await joined()).slice(1)).toEqual([{ ...facts, is_mentor: true, is_mentee: false }]);
  });

  it('works by the link of the mail as well', async () => {
    const { email } = await member();
    const { token } = await mailTo(email);
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
    expect(await verify(email, { token })).toMatchObject({ user: { email } });
    expect((await failure(email, { token })).code).toBe('INVALID_TOKEN');
  });

  it('works for accounts with a password, which keep it', async () => {
    const { actor, user } = await identity.signUp();
    await identity.verify({ actor });
    const answer = await signIn(user.email);
    expect(answer.user).toMatchObject({ id: user.id, role: 'mentee' });
    expect(await identity.signIn(user.email)).toMatchObject({ user: { id: user.id } });
  });

  it('keeps only hashes, and of the code none that can be found by trying', async () => {
    const { email } = await member();
    const { code, token } = await mailTo(email);
    const rows = await identity.dataSource.query<Record<string, unknown>[]>(
      'SELECT code_hash, token_hash, holder_hash FROM mailed_codes WHERE email = $1',
      [email],
    );
    const stored = JSON.stringify(rows);
    expect(stored).not.toContain(code);
    expect(stored).not.toContain(token);
    const plain = createHash('sha256').update(code).digest();
    expect((rows[0]!['code_hash'] as Buffer).equals(plain)).toBe(false);
    const events = JSON.stringify(await identity.events('identity.user.mail_requested'));
    expect(events).not.toContain(code);
    expect(events).not.toContain(email);
  });

  it('may ask for fields in no other combination', async () => {
    for (const fields of [
      {},
      { email: 'a@example.com' },
      { code: '123456' },
      { email: 'a@example.com', code: '123456', token: 'x' },
    ]) {
      const refusal = await identity.failure(EmailLogin.verify, undefined, {
        ...fields,
        browser_token: browser,
        device: elsewhere(),
      });
      expect(refusal.code).toBe('VALIDATION_FAILED');
    }
  });
});

describe('a code by mail', () => {
  it('works for ten minutes', async () => {
    const { email } = await member();
    const { code, token } = await mailTo(email);
    identity.clock.advance(600_000);
    expect((await failure(email, { code })).code).toBe('INVALID_CODE');
    expect((await failure(email, { token })).code).toBe('INVALID_TOKEN');
  });

  it('works once, also when it is sent five times at the same moment, and opens one account', async () => {
    const { email } = await member();
    const { code } = await mailTo(email);
    const tries = await Promise.allSettled(
      Array.from({ length: 5 }, () => verify(email, { code })),
    );
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await usersWith(email)).toHaveLength(1);
    expect((await failure(email, { code })).code).toBe('INVALID_CODE');
  });

  it('of a link and its code is one of the two, when both come at once', async () => {
    const { email } = await member();
    const { code, token } = await mailTo(email);
    const tries = await Promise.allSettled([verify(email, { code }), verify(email, { token })]);
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('stops working when a newer one is sent', async () => {
    const { email } = await member();
    const older = await mailTo(email);
    identity.clock.advance(60_000);
    const newer = await mailTo(email);
    if (older.code !== newer.code) {
      // oxlint-disable-next-line vitest/no-conditional-expect
      expect((await failure(email, { code: older.code })).code).toBe('INVALID_CODE');
    }
    expect((await failure(email, { token: older.token })).code).toBe('INVALID_TOKEN');
    expect(await verify(email, { code: newer.code })).toMatchObject({ user: { email } });
  });

  it('works in the browser that asked for it alone, and costs that one no try elsewhere', async () => {
    const { email } = await member();
    const { code, token } = await mailTo(email);
    for (const holder of [otherBrowser, null, '']) {
      for (let n = 0; n < 6; n++) {
        expect((await failure(email, { code }, holder)).code).toBe('INVALID_CODE');
      }
      expect((await failure(email, { token }, holder)).code).toBe('INVALID_TOKEN');
    }
    expect(await verify(email, { code })).toMatchObject({ user: { email } });
  });

  it('is of no use to another address', async () => {
    const [one, other] = [await member(), await member()];
    const { code } = await mailTo(one.email);
    await mailTo(other.email);
    expect((await failure(other.email, { code: otherThan(code) })).code).toBe('INVALID_CODE');
    expect((await failure('nobody@example.com', { code })).code).toBe('INVALID_CODE');
  });

  it('cannot be guessed: of many guesses at once over two replicas, five are checked', async () => {
    const { email } = await member();
    const { code } = await mailTo(email);
    // Each from a network of its own, as an attacker would.
    const guesses = Array.from({ length: 60 }, () => failure(email, { code: otherThan(code) }));
    const codes = (await Promise.all(guesses)).map((error) => error.code);
    expect(new Set(codes)).toEqual(new Set(['INVALID_CODE']));
    const [row] = await identity.dataSource.query<{ tries: number }[]>(
      'SELECT tries FROM mailed_codes WHERE email = $1',
      [email],
    );
    expect(row).toEqual({ tries: 5 });
    expect((await failure(email, { code })).code).toBe('INVALID_CODE');
  });

  it('cannot be guessed by asking for new ones: failures of the account add up, until a right code', async () => {
    const { email } = await member();
    const device = elsewhere();
    const outcomes: string[] = [];
    for (let round = 0; round < 3; round++) {
      const { code } = await mailTo(email);
      for (let n = 0; n < 5; n++) {
        const refusal = await identity.failure(EmailLogin.verify, undefined, {
          email,
          code: otherThan(code),
          browser_token: browser,
          device,
        });
        outcomes.push(refusal.code);
      }
      identity.clock.advance(60_000);
    }
    expect(outcomes).toContain('RATE_LIMITED');
  });

  it('is not made for an account that was deactivated meanwhile', async () => {
    const { email } = await member();
    const { user } = await signIn(email);
    identity.clock.advance(60_000);
    await ask(email);
    await identity.dataSource.query('UPDATE users SET is_active = false WHERE id = $1', [user.id]);
    await expect(lastMail()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('asking for a code', () => {
  it('answers the same for a user, a member and nobody, and writes to nobody who is neither', async () => {
    const known = await identity.register();
    const { email } = await member();
    const deactivated = await identity.register();
    await identity.dataSource.query('UPDATE users SET is_active = false WHERE id = $1', [
      deactivated.id,
    ]);
    const requested = async () => (await identity.events('identity.user.mail_requested')).length;
    const before = await requested();
    const answers = [];
    for (const address of [known.email, email, deactivated.email, 'stranger@example.com']) {
      answers.push(await ask(address));
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect((await requested()) - before).toBe(2);
  });

  it('leaves the same traces in time: a stranger’s request does the same work', async () => {
    const { email } = await member();
    await ask('stranger2@example.com');
    await ask(email);
    const rows = await identity.dataSource.query<{ email: string }[]>(
      'SELECT email FROM mailed_codes WHERE email = ANY ($1) ORDER BY email',
      [[email, 'stranger2@example.com']],
    );
    expect(rows).toHaveLength(2);
    // And so do guesses.
    await failure('stranger2@example.com', { code: '123456' });
    const [row] = await identity.dataSource.query<{ tries: number }[]>(
      `SELECT tries FROM mailed_codes WHERE email = 'stranger2@example.com'`,
    );
    expect(row).toEqual({ tries: 1 });
  });

  it('sends at most one mail an address and minute, and leaves the one before valid', async () => {
    const { email } = await member();
    await Promise.all([ask(email), ask(email)]);
    const requests = (await identity.events('identity.user.mail_requested')).length;
    const { code } = await lastMail();
    await ask(email, otherBrowser);
    expect(await identity.events('identity.user.mail_requested')).toHaveLength(requests);
    expect(await verify(email, { code })).toMatchObject({ user: { email } });
  });

  it('is limited for each network, whatever the addresses', async () => {
    const limited = await IdentityFixture.start('identity_email_login_limit', {
      MAIL_REQUESTS_PER_HOUR: '3',
    });
    try {
      const device = elsewhere();
      const send = (n: number) =>
        limited.request(EmailLogin.request, undefined, {
          email: `flood${n}@example.com`,
          browser_token: browser,
          device,
        });
      for (let n = 0; n < 3; n++) await send(n);
      await expect(send(4)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    } finally {
      await limited.stop();
    }
  });
});

describe('an account whose address was never verified', () => {
  it('goes to the reader of its mailbox: its old password, sessions and other ways in end', async () => {
    const squatter = await identity.signUp(phone);
    const { id, email } = squatter.user;
    await identity.dataSource.query(
      `INSERT INTO linked_identities (issuer, subject, user_id, linked_at) VALUES ('https://idp.example', 'squatter', $1, $2)`,
      [id, identity.clock.now()],
    );
    await identity.dataSource.query(
      `INSERT INTO totp_factors (user_id, secret, created_at, confirmed_at, last_step) VALUES ($1, '\\x00', $2, $2, 0)`,
      [id, identity.clock.now()],
    );
    const { code, ...mail } = await mailTo(email);
    expect(mail).not.toHaveProperty('full_name');
    const answer = await verify(email, { code });
    expect(answer.user.id).toBe(id);
    expect(await identity.events('identity.user.email_verified', id)).toEqual([{ user_id: id }]);
    expect(
      await identity.failure(Auth.login, undefined, {
        email,
        password: goodPassword,
        device: elsewhere(),
      }),
    ).toMatchObject({ code: 'INVALID_CREDENTIALS' });
    expect(
      await identity.failure(Auth.refresh, undefined, {
        refresh_token: squatter.refresh_token,
        device: laptop,
      }),
    ).toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
    const left = await identity.dataSource.query<unknown[]>(
      'SELECT FROM linked_identities WHERE user_id = $1 UNION ALL SELECT FROM totp_factors WHERE user_id = $1',
      [id],
    );
    expect(left).toEqual([]);
    expect(await identity.auditOf('email_login.reclaim')).toContainEqual(
      expect.objectContaining({ user_id: id, detail: { sessions_ended: 1 } }),
    );
  });
});

async function isFresh({ session_id, ...caller }: Caller): Promise<boolean> {
  const stepUp = identity.replicas[0]!.app.get(StepUp);
  return stepUp.require({ session_id, ...caller }).then(
    () => true,
    () => false,
  );
}

async function reauthenticationMail() {
  const events = await identity.events('identity.user.mail_requested');
  const { user_id, ref } = events.at(-1) as { user_id: number; ref: number };
  return identity.mintMail(user_id, 'reauthentication_code', ref);
}

function prove(actor: Caller, code = '') {
  return identity.request(Auth.reauthenticate, actor, { code, device: elsewhere() });
}

describe('proving again who one is', () => {
  it('works by a mailed code for an account without a password, in the session that asked', async () => {
    const { email } = await member();
    const { actor } = await signIn(email);
    identity.clock.advance(60_000);
    const { actor: elsewhereSignedIn } = await signIn(email);
    identity.clock.advance(600_000);
    expect(await isFresh(actor)).toBe(false);
    expect(
      await identity.request(EmailLogin.requestReauthentication, actor, { device: laptop }),
    ).toMatchObject({ expires_in: 600 });
    const { code, token } = await reauthenticationMail();
    expect(token).toBeUndefined();
    await expect(prove(elsewhereSignedIn, code)).rejects.toMatchObject({ code: 'INVALID_CODE' });
    await expect(prove(actor, otherThan(code!))).rejects.toMatchObject({ code: 'INVALID_CODE' });
    await prove(actor, code);
    expect(await isFresh(actor)).toBe(true);
    expect(await isFresh(elsewhereSignedIn)).toBe(false);
    await expect(prove(actor, code)).rejects.toMatchObject({ code: 'INVALID_CODE' });
    const outcomes = (await identity.auditOf('reauthentication.email')).map(
      ({ outcome }) => outcome,
    );
    expect(outcomes).toEqual(['failure', 'failure', 'success', 'failure']);
  });

  it('by a mailed code is not for accounts with a password', async () => {
    const { actor } = await identity.signUp();
    expect(
      await identity.failure(EmailLogin.requestReauthentication, actor, { device: laptop }),
    ).toMatchObject({ code: 'WRONG_STATE' });
  });
});

describe('the audit trail', () => {
  it('names requests, sign-ups and refusals, without addresses and codes', async () => {
    const { email } = await member({ membershiptype: 'mentor' });
    const { code } = await mailTo(email);
    await failure(email, { code: otherThan(code) });
    const { user } = await verify(email, { code });
    expect(await identity.auditOf('member.sign_up')).toContainEqual(
      expect.objectContaining({
        user_id: user.id,
        outcome: 'success',
        detail: { is_mentor: true, is_mentee: false },
      }),
    );
    expect(await identity.auditOf('email_login.verify')).toContainEqual(
      expect.objectContaining({ outcome: 'failure', detail: { reason: 'INVALID_CODE' } }),
    );
    const whole = JSON.stringify(await identity.dataSource.query('SELECT * FROM audit_log'));
    expect(whole).not.toContain('@example.com');
    expect(whole).not.toContain(`"${code}"`);
  });
});

describe('EMAIL_LOGIN=trusted', () => {
  it('keeps identity from starting in production, with exit code 78 and the reason', async () => {
    const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));
    const outcome = await promisify(execFile)(process.execPath, [main], {
      timeout: 30_000,
      env: {
        NODE_ENV: 'production',
        PROFILE: 'local',
        DATABASE_URL_IDENTITY: 'postgres://nobody@127.0.0.1:1/none',
        NATS_URL: 'nats://127.0.0.1:1',
        SECRET_KEY: 'a secret key of at least 32 characters',
        EMAIL_LOGIN: 'trusted',
      },
    }).catch((error: unknown) => error);
    expect(outcome).toMatchObject({
      code: 78,
      stderr: expect.stringContaining('I_UNDERSTAND_TRUSTED_EMAIL_LOGIN=yes'),
    });
  });

  let trusted: IdentityFixture;

  beforeAll(async () => {
    trusted = await IdentityFixture.start('identity_email_login_trusted', {
      NODE_ENV: 'test',
      EMAIL_LOGIN: 'trusted',
    });
    await trusted.dataSource.query(
      `INSERT INTO members (email, first_name, last_name, membershiptype, updated_at)
       VALUES ('trusted@example.com', 'Tru', 'Sted', 'Mentor', now())`,
    );
  });
  afterAll(() => trusted.stop());

  const name = (email: string) =>
    trusted.request(EmailLogin.request, undefined, {
      email,
      browser_token: browser,
      device: elsewhere(),
    }) as Promise<EmailLoginAnswer>;

  it('signs in whoever names an address, at once, with a session that proved nothing', async () => {
    const answer = await name('trusted@example.com');
    expect(answer).toMatchObject({
      user: { role: 'mentor', is_mentor: true, approval_status: 'approved' },
      redirect_to: '/community/mentorship/mentor',
    });
    const actor = actorOf(answer.access);
    const [session] = await trusted.dataSource.query<unknown[]>(
      'SELECT method, authenticated_at FROM sessions WHERE id = $1',
      [actor.session_id],
    );
    expect(session).toEqual({ method: 'email', authenticated_at: null });
    await expect(trusted.replicas[0]!.app.get(StepUp).require(actor)).rejects.toMatchObject({
      code: 'REAUTHENTICATION_REQUIRED',
    });
    expect(await name('TRUSTED@example.com')).toMatchObject({ user: { id: answer.user.id } });
  });

  it('says so when the address is in neither place', async () => {
    await expect(name('stranger@example.com')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      detail: expect.stringMatching(/^Email not found /),
    });
  });

  it('opens one account for a member who signs in five times at the same moment', async () => {
    await trusted.dataSource.query(
      `INSERT INTO members (email, first_name, last_name, membershiptype, updated_at)
       VALUES ('rush@example.com', 'Ru', 'Sh', '', now())`,
    );
    const answers = await Promise.all(Array.from({ length: 5 }, () => name('rush@example.com')));
    expect(new Set(answers.map(({ user }) => user.id)).size).toBe(1);
  });

  it('is not for administrators', async () => {
    const { id, email } = await trusted.register();
    await trusted.dataSource.query('UPDATE users SET is_admin = true WHERE id = $1', [id]);
    await expect(name(email)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});

describe('an account with a second factor', () => {
  it('is signed in to by the code and the factor, with the answer of this surface', async () => {
    const session = await identity.signUp();
    const { actor, user } = session;
    await identity.verify(session);
    const { secret } = await identity.request(SecondFactors.enrolTotp, actor, { device: laptop });
    const code = (steps: number) =>
      TOTP.generate({
        secret: Secret.fromBase32(secret),
        timestamp: identity.clock.now().getTime() + steps * 30_000,
      });
    await identity.request(SecondFactors.confirmTotp, actor, { code: code(0), device: laptop });

    const mail = await mailTo(user.email);
    const request = { email: user.email, code: mail.code, browser_token: browser, device: phone };
    const refusal = await identity.failure(EmailLogin.verify, undefined, request);
    expect(refusal).toMatchObject({
      code: 'MFA_REQUIRED',
      data: { methods: ['totp', 'recovery_code'] },
    });
    // The first step is done: its code is used up.
    expect(await identity.failure(EmailLogin.verify, undefined, request)).toMatchObject({
      code: 'INVALID_CODE',
    });
    const answer = await identity.request(EmailLogin.verifySecondFactor, undefined, {
      challenge: String(refusal.data?.challenge),
      code: code(1),
      device: phone,
    });
    expect(answer).toMatchObject({
      access: expect.any(String) as string,
      refresh: expect.any(String) as string,
      user: { id: user.id },
      redirect_to: '/community/mentorship',
    });
  });
});
