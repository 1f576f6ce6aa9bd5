import {
  ApplicationError,
  Auth,
  type Caller,
  PasswordChanges,
  Reauthentication,
  SecondFactors,
  type SignedIn,
} from '@mentorhub/contracts';
import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.js';
import { Housekeeping } from '../src/housekeeping/housekeeping.js';
import { TotpFactors } from '../src/second-factor/totp-factors.js';
import { actorOf, goodPassword, IdentityFixture, laptop, phone } from './fixture.js';

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_second_factor');
  await identity.addReplica();
});
afterAll(() => identity.stop());

const second = 1000;
const minute = 60 * second;

/** What an authenticator app shows so many steps from now. */
function codeOf(secret: string, steps = 0): string {
  const timestamp = identity.clock.now().getTime() + steps * 30 * second;
  return TOTP.generate({ secret: Secret.fromBase32(secret), timestamp });
}

function wrongCode(secret: string): string {
  const near = [-2, -1, 0, 1, 2].map((step) => codeOf(secret, step));
  return ['000000', '111111', '222222', '333333', '444444', '555555'].find(
    (code) => !near.includes(code),
  )!;
}

interface Enrolled extends SignedIn {
  actor: Caller;
  email: string;
  secret: string;
  codes: string[];
}

/** A user with an authenticator app, whose current code has not been used. */
async function enrolled(): Promise<Enrolled> {
  const session = await identity.signUp();
  const { actor } = session;
  const { secret } = await identity.request(SecondFactors.enrolTotp, actor, { device: laptop });
  const { recovery_codes: codes } = await identity.request(SecondFactors.confirmTotp, actor, {
    code: codeOf(secret),
    device: laptop,
  });
  identity.clock.advance(30 * second);
  return Object.assign(session, { email: session.user.email, secret, codes });
}

async function pending(email: string, device = laptop): Promise<string> {
  const error = await identity.failure(Auth.login, undefined, {
    email,
    password: goodPassword,
    device,
  });
  expect(error).toMatchObject({ code: 'MFA_REQUIRED' });
  return String(error.data?.challenge);
}

interface Shown {
  code?: string;
  recovery_code?: string;
}

function verify(challenge: string, shown: Shown) {
  return identity.request(SecondFactors.verify, undefined, {
    challenge,
    ...shown,
    device: phone,
  });
}

function refusal(challenge: string, shown: Shown) {
  return identity.failure(SecondFactors.verify, undefined, { challenge, ...shown, device: phone });
}

const changePassword = (actor: Caller) =>
  identity.request(PasswordChanges.change, actor, {
    current_password: goodPassword,
    new_password: 'kessel birke sturm',
    device: laptop,
  });

const status = (actor: Caller) => identity.request(SecondFactors.status, actor, {});

describe('a sign-in that waits for its second step', () => {
  it('ends with a change of the password that it began with', async () => {
    const { actor, email, secret } = await enrolled();
    const challenge = await pending(email, phone);
    await identity.request(PasswordChanges.change, actor, {
      current_password: goodPassword,
      new_password: 'kessel birke sturm',
      device: laptop,
    });
    expect(await refusal(challenge, { code: codeOf(secret) })).toMatchObject({
      code: 'INVALID_TOKEN',
    });
  });
});

describe('an authenticator app', () => {
  it('is set up by a secret of 160 bits, its address and a QR code', async () => {
    const { actor, user } = await identity.signUp();
    const enrolment = await identity.request(SecondFactors.enrolTotp, actor, { device: laptop });
    expect(Secret.fromBase32(enrolment.secret).bytes).toHaveLength(20);
    const uri = new URL(enrolment.otpauth_uri);
    expect(decodeURIComponent(uri.pathname)).toBe(`/MentorHub:${user.email}`);
    expect(Object.fromEntries(uri.searchParams)).toMatchObject({
      secret: enrolment.secret,
      issuer: 'MentorHub',
      algorithm: 'SHA1',
      digits: '6',
      period: '30',
    });
    const image = Buffer.from(enrolment.qr.replace('data:image/png;base64,', ''), 'base64');
    expect(image.subarray(1, 4).toString()).toBe('PNG');
    expect(enrolment.expires_in).toBe(600);
  });

  it('changes nothing until a code of it was shown', async () => {
    const { actor, user } = await identity.signUp();
    await identity.request(SecondFactors.enrolTotp, actor, { device: laptop });
    expect(await status(actor)).toEqual({
      enabled: false,
      totp_since: null,
      recovery_codes_left: 0,
      passkeys: [],
    });
    await identity.signIn(user.email);
  });

  it('is not set up by a wrong code', async () => {
    const { actor } = await identity.signUp();
    const { secret } = await identity.request(SecondFactors.enrolTotp, actor, { device: laptop });
    const error = await identity.failure(SecondFactors.confirmTotp, actor, {
      code: wrongCode(secret),
      device: laptop,
    });
    expect(error).toMatchObject({ code: 'INVALID_CODE', errors: [{ field: 'code' }] });
    expect(await status(actor)).toMatchObject({ enabled: false });
  });

  it('is not set up later than ten minutes after it was begun, and the secret is deleted', async () => {
    const { actor } = await identity.signUp();
    const { secret } = await identity.request(SecondFactors.enrolTotp, actor, { device: laptop });
    identity.clock.advance(10 * minute);
    const request = { code: codeOf(secret), device: laptop };
    expect(await identity.failure(SecondFactors.confirmTotp, actor, request)).toMatchObject({
      code: 'WRONG_STATE',
    });
    identity.clock.advance(24 * 60 * minute);
    await identity.replicas[0]!.app.get(Housekeeping).sweep();
    expect(
      await identity.dataSource.query('SELECT FROM totp_factors WHERE user_id = $1', [
        actor.user_id,
      ]),
    ).toEqual([]);
  });

  it('is set up only by one who has just proven who they are', async () => {
    const { actor } = await identity.signUp();
    identity.clock.advance(10 * minute);
    expect(
      await identity.failure(SecondFactors.enrolTotp, actor, { device: laptop }),
    ).toMatchObject({ code: 'REAUTHENTICATION_REQUIRED' });
  });

  it('is not replaced by another one while it is set up', async () => {
    const { actor } = await enrolled();
    expect(
      await identity.failure(SecondFactors.enrolTotp, actor, { device: laptop }),
    ).toMatchObject({ code: 'WRONG_STATE' });
  });

  it('brings ten recovery codes, and the owner a notification', async () => {
    const { actor, codes } = await enrolled();
    expect(new Set(codes).size).toBe(10);
    for (const code of codes)
      expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{6}-){3}[0-9A-HJKMNP-TV-Z]{6}$/);
    expect(await status(actor)).toMatchObject({ enabled: true, recovery_codes_left: 10 });
    expect(await identity.events('identity.user.totp_enabled', actor.user_id)).toEqual([
      { user_id: actor.user_id },
    ]);
  });

  it('leaves neither its secret nor a recovery code in the database in clear', async () => {
    const { actor, secret, codes } = await enrolled();
    const rows = await identity.dataSource.query<{ row: string }[]>(
      `SELECT encode(secret, 'escape') || encode(secret, 'hex') AS row FROM totp_factors WHERE user_id = $1
       UNION ALL
       SELECT encode(code_hash, 'escape') || encode(code_hash, 'hex') FROM recovery_codes WHERE user_id = $1`,
      [actor.user_id],
    );
    const stored = rows.map(({ row }) => row).join(' ');
    const bytes = Buffer.from(Secret.fromBase32(secret).bytes).toString('hex');
    for (const clear of [
      secret,
      bytes,
      ...codes,
      ...codes.map((code) => code.replaceAll('-', '')),
    ]) {
      expect(stored).not.toContain(clear);
    }
  });
});

const keyBefore = 'a secret key of at least 32 characters';
const newKey = { SECRET_KEY: 'another secret key of 32 characters' };
const redeem = async (factors: TotpFactors, { actor, secret }: Enrolled, steps: number) =>
  identity.dataSource.transaction((tx) =>
    factors.redeem(tx, actor.user_id, codeOf(secret, steps), identity.clock.now()),
  );
const factorsOf = (changes: Record<string, string>) =>
  new TotpFactors(
    readConfig({
      PROFILE: 'local',
      DATABASE_URL: 'postgres://localhost',
      NATS_URL: 'nats://localhost',
      ...changes,
    }),
  );

describe('a new SECRET_KEY', () => {
  it('opens the secrets of apps with the help of the one before, and seals them anew', async () => {
    const user = await enrolled();
    identity.clock.advance(minute);
    const alone = factorsOf(newKey);
    expect(await redeem(alone, user, -1)).toBe(false);
    const both = factorsOf({ ...newKey, PREVIOUS_SECRET_KEY: keyBefore });
    expect(await redeem(both, user, 0)).toBe(true);
    expect(await redeem(alone, user, 1)).toBe(true);
  });
});

describe('a sign-in to an account with an authenticator app', () => {
  it('opens no session for the password alone, and says what is missing', async () => {
    const { actor, email } = await enrolled();
    const error = await identity.failure(Auth.login, undefined, {
      email,
      password: goodPassword,
      device: laptop,
    });
    expect(error.toProblem()).toMatchObject({
      code: 'MFA_REQUIRED',
      data: {
        mfa_required: true,
        challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
        methods: ['totp', 'recovery_code'],
        expires_in: 300,
      },
    });
    expect(error.status).toBe(401);
    const sessions = await identity.dataSource.query('SELECT id FROM sessions WHERE user_id = $1', [
      actor.user_id,
    ]);
    expect(sessions).toEqual([{ id: actor.session_id }]);
  });

  it('says nothing of the second factor to one who does not know the password', async () => {
    const { email } = await enrolled();
    const wrong = { password: 'guess guess', device: laptop };
    const known = await identity.failure(Auth.login, undefined, { email, ...wrong });
    const unknown = await identity.failure(Auth.login, undefined, {
      email: 'nobody@example.com',
      ...wrong,
    });
    expect(known.toProblem()).toEqual(unknown.toProblem());
  });

  it('opens one for a current code, and records both steps', async () => {
    const { email, secret, user } = await enrolled();
    const answer = await verify(await pending(email), { code: codeOf(secret) });
    expect(answer).toMatchObject({ token_type: 'bearer', user: { id: user.id } });
    const { session_id } = actorOf(answer.access_token);
    expect(
      (await identity.auditOf('session.open')).find((entry) => entry.session_id === session_id),
    ).toMatchObject({
      user_agent: phone.user_agent,
      detail: { method: 'password', second_factor: 'totp' },
    });
    expect(
      (await identity.auditOf('session.await_second_factor')).filter(
        ({ user_id }) => user_id === user.id,
      ),
    ).toHaveLength(1);
  });

  it('takes the code of the step before and of the next one, and none further away', async () => {
    const { email, secret } = await enrolled();
    identity.clock.advance(2 * minute);
    expect(await refusal(await pending(email), { code: codeOf(secret, -2) })).toMatchObject({
      code: 'INVALID_CODE',
    });
    expect(await refusal(await pending(email), { code: codeOf(secret, 2) })).toMatchObject({
      code: 'INVALID_CODE',
    });
    await verify(await pending(email), { code: codeOf(secret, -1) });
    await verify(await pending(email), { code: codeOf(secret, 1) });
  });

  it('takes a code with the space that apps show', async () => {
    const { email, secret } = await enrolled();
    const code = codeOf(secret).replace(/^.../, '$& ');
    expect(await verify(await pending(email), { code })).toMatchObject({ user: { email } });
  });

  it('takes a code only once, and none of a step before it any more', async () => {
    const { email, secret } = await enrolled();
    identity.clock.advance(minute);
    const code = codeOf(secret);
    await verify(await pending(email), { code });
    expect(await refusal(await pending(email), { code })).toMatchObject({ code: 'INVALID_CODE' });
    expect(await refusal(await pending(email), { code: codeOf(secret, -1) })).toMatchObject({
      code: 'INVALID_CODE',
    });
  });

  it('takes the code that confirmed the app no second time', async () => {
    const { email, secret } = await enrolled();
    expect(await refusal(await pending(email), { code: codeOf(secret, -1) })).toMatchObject({
      code: 'INVALID_CODE',
    });
  });

  it('takes a code once from two replicas at the same time', async () => {
    for (let round = 0; round < 10; round++) {
      const { email, secret } = await enrolled();
      const challenges = await Promise.all(Array.from({ length: 6 }, () => pending(email)));
      const outcomes = await Promise.allSettled(
        challenges.map((challenge) => verify(challenge, { code: codeOf(secret) })),
      );
      expect(outcomes.filter(({ status: outcome }) => outcome === 'fulfilled')).toHaveLength(1);
    }
  }, 60_000);

  it('takes a challenge once, also at the same time', async () => {
    const { email, codes } = await enrolled();
    const challenge = await pending(email);
    const outcomes = await Promise.allSettled(
      codes.slice(0, 4).map((recovery_code) => verify(challenge, { recovery_code })),
    );
    expect(outcomes.filter(({ status: outcome }) => outcome === 'fulfilled')).toHaveLength(1);
    expect(await refusal(challenge, { recovery_code: codes[5] })).toMatchObject({
      code: 'INVALID_TOKEN',
    });
  });

  it('takes five tries for a challenge, however many come at once', async () => {
    const { email, secret, codes } = await enrolled();
    const challenge = await pending(email);
    const wrong = { recovery_code: 'AAAAAA-AAAAAA-AAAAAA-AAAAAA' };
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => refusal(challenge, wrong)));
    expect(outcomes.map(({ code }) => code).toSorted()).toEqual([
      ...Array<string>(5).fill('INVALID_CODE'),
      ...Array<string>(3).fill('INVALID_TOKEN'),
    ]);
    expect(await refusal(challenge, { code: codeOf(secret) })).toMatchObject({
      code: 'INVALID_TOKEN',
    });
    await verify(await pending(email), { recovery_code: codes[0] });
  });

  it('takes a challenge for five minutes', async () => {
    const { email, secret } = await enrolled();
    const challenge = await pending(email);
    identity.clock.advance(5 * minute);
    expect(await refusal(challenge, { code: codeOf(secret) })).toMatchObject({
      code: 'INVALID_TOKEN',
    });
  });

  it('takes no challenge that was never issued, and no code of another account', async () => {
    const mine = await enrolled();
    const theirs = await enrolled();
    expect(await refusal('made-up', { code: codeOf(mine.secret) })).toMatchObject({
      code: 'INVALID_TOKEN',
    });
    const challenge = await pending(theirs.email);
    expect(await refusal(challenge, { code: codeOf(mine.secret) })).toMatchObject({
      code: 'INVALID_CODE',
    });
    expect(await refusal(challenge, { recovery_code: mine.codes[0] })).toMatchObject({
      code: 'INVALID_CODE',
    });
  });

  it('is not completed once all devices were signed out: the password may have changed', async () => {
    const { actor, email, secret } = await enrolled();
    const challenge = await pending(email);
    await identity.request(Auth.logoutAll, actor, { device: laptop });
    expect(await refusal(challenge, { code: codeOf(secret) })).toMatchObject({
      code: 'INVALID_TOKEN',
    });
  });

  it('is not completed by a deactivated user', async () => {
    const { actor, email, secret } = await enrolled();
    const challenge = await pending(email);
    await identity.dataSource.query('UPDATE users SET is_active = false WHERE id = $1', [
      actor.user_id,
    ]);
    expect(await refusal(challenge, { code: codeOf(secret) })).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('wants exactly one factor', async () => {
    const { email, secret, codes } = await enrolled();
    const challenge = await pending(email);
    for (const shown of [{}, { code: codeOf(secret), recovery_code: codes[0] }]) {
      expect(await refusal(challenge, shown)).toMatchObject({
        code: 'VALIDATION_FAILED',
        errors: [{ field: 'code' }, { field: 'recovery_code' }, { field: 'passkey' }],
      });
    }
  });
});

describe('guessing the code of an authenticator app', () => {
  it('is slowed down over all challenges and replicas, and recorded', async () => {
    const { email, secret, codes, user } = await enrolled();
    const outcomes: string[] = [];
    for (let n = 0; n < 4; n++) {
      const challenge = await pending(email);
      const tries = await Promise.all(
        Array.from({ length: 4 }, () => refusal(challenge, { code: wrongCode(secret) })),
      );
      outcomes.push(...tries.map(({ code }) => code));
    }
    expect(outcomes.filter((code) => code === 'INVALID_CODE')).toHaveLength(10);
    expect(outcomes.filter((code) => code === 'RATE_LIMITED')).toHaveLength(6);
    expect(await refusal(await pending(email), { code: codeOf(secret) })).toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterSeconds: 60,
    });
    const failures = (await identity.auditOf('second_factor.check')).filter(
      ({ user_id }) => user_id === user.id,
    );
    expect(failures).toHaveLength(17);
    expect(failures[0]).toMatchObject({
      outcome: 'failure',
      actor_id: null,
      ip: phone.ip,
      detail: { factor: 'totp', reason: 'wrong_code' },
    });

    expect(await identity.events('identity.user.sign_in_codes_guessed', user.id)).toEqual([
      { user_id: user.id },
    ]);

    // The owner gets in by a recovery code meanwhile.
    await verify(await pending(email), { recovery_code: codes[0] });
    identity.clock.advance(minute);
    await verify(await pending(email), { code: codeOf(secret) });
  }, 30_000);

  it('takes twice as long after each further wrong code, up to an hour', async () => {
    const { email, secret } = await enrolled();
    for (let n = 0; n < 10; n++) {
      await refusal(await pending(email), { code: wrongCode(secret) });
    }
    const delays: number[] = [];
    for (let n = 0; n < 8; n++) {
      const { retryAfterSeconds = 0 } = await refusal(await pending(email), {
        code: wrongCode(secret),
      });
      delays.push(retryAfterSeconds / 60);
      identity.clock.advance(retryAfterSeconds * second);
      await refusal(await pending(email), { code: wrongCode(secret) });
    }
    expect(delays).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  }, 30_000);

  it('at sign-in does not keep the owner from acting on a device that is signed in', async () => {
    const { actor, email, secret } = await enrolled();
    for (let n = 0; n < 11; n++) {
      await refusal(await pending(email), { code: wrongCode(secret) });
    }
    await identity.request(Auth.reauthenticate, actor, { code: codeOf(secret), device: laptop });
    const own = (await identity.auditOf('reauthentication.totp')).filter(
      ({ user_id }) => user_id === actor.user_id,
    );
    expect(own).toMatchObject([{ outcome: 'success' }]);
  }, 30_000);

  it('is limited on a device that is signed in, too', async () => {
    const { actor, secret } = await enrolled();
    const codes: string[] = [];
    for (let n = 0; n < 12; n++) {
      const error = await identity.failure(SecondFactors.disableTotp, actor, {
        code: wrongCode(secret),
        device: laptop,
      });
      codes.push(error.code);
    }
    expect(codes).toEqual([
      ...Array<string>(10).fill('INVALID_CODE'),
      'RATE_LIMITED',
      'RATE_LIMITED',
    ]);
  });
});

describe('a recovery code', () => {
  it('stands in for the app once, however it is typed, and its owner is notified', async () => {
    const { actor, email, codes } = await enrolled();
    const typed = codes[0]!.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o');
    await verify(await pending(email), { recovery_code: typed });
    expect(await refusal(await pending(email), { recovery_code: codes[0] })).toMatchObject({
      code: 'INVALID_CODE',
      errors: [{ field: 'recovery_code' }],
    });
    expect(await status(actor)).toMatchObject({ recovery_codes_left: 9 });
    expect(await identity.events('identity.user.recovery_code_used', actor.user_id)).toEqual([
      { user_id: actor.user_id, left: 9 },
    ]);
  });

  it('works once from two replicas at the same time', async () => {
    const { email, codes } = await enrolled();
    const challenges = await Promise.all(Array.from({ length: 6 }, () => pending(email)));
    const outcomes = await Promise.allSettled(
      challenges.map((challenge) => verify(challenge, { recovery_code: codes[0] })),
    );
    expect(outcomes.filter(({ status: outcome }) => outcome === 'fulfilled')).toHaveLength(1);
  });

  it('of a new set replaces those before', async () => {
    const { actor, email, secret, codes } = await enrolled();
    const { recovery_codes: fresh } = await identity.request(
      SecondFactors.replaceRecoveryCodes,
      actor,
      { code: codeOf(secret), device: laptop },
    );
    expect(fresh).toHaveLength(10);
    expect(await refusal(await pending(email), { recovery_code: codes[0] })).toMatchObject({
      code: 'INVALID_CODE',
    });
    await verify(await pending(email), { recovery_code: fresh[0] });
    expect(
      await identity.events('identity.user.recovery_codes_replaced', actor.user_id),
    ).toHaveLength(1);
  });

  it('is not made anew without a code, nor without a fresh proof', async () => {
    const { actor, secret } = await enrolled();
    const failure = (code: string) =>
      identity.failure(SecondFactors.replaceRecoveryCodes, actor, { code, device: laptop });
    expect(await failure(wrongCode(secret))).toMatchObject({ code: 'INVALID_CODE' });
    identity.clock.advance(10 * minute);
    expect(await failure(codeOf(secret))).toMatchObject({ code: 'REAUTHENTICATION_REQUIRED' });
  });

  it('is not made for an account without a second factor', async () => {
    const { actor } = await identity.signUp();
    expect(
      await identity.failure(SecondFactors.replaceRecoveryCodes, actor, {
        code: '123456',
        device: laptop,
      }),
    ).toMatchObject({ code: 'WRONG_STATE' });
  });
});

describe('switching the authenticator app off', () => {
  it('needs a current code', async () => {
    const { actor, email, secret } = await enrolled();
    const failure = (shown: Shown) =>
      identity.failure(SecondFactors.disableTotp, actor, { ...shown, device: laptop });
    expect(await failure({})).toMatchObject({ code: 'VALIDATION_FAILED' });
    expect(await failure({ code: wrongCode(secret) })).toMatchObject({ code: 'INVALID_CODE' });
    expect(await failure({ code: codeOf(secret, -1) })).toMatchObject({ code: 'INVALID_CODE' });
    await identity.request(SecondFactors.disableTotp, actor, {
      code: codeOf(secret),
      device: laptop,
    });
    expect(await status(actor)).toMatchObject({ enabled: false, recovery_codes_left: 0 });
    await identity.signIn(email);
    expect(await identity.events('identity.user.totp_disabled', actor.user_id)).toEqual([
      { user_id: actor.user_id, second_step: false },
    ]);
  });

  it('or a recovery code, for one who has lost the app', async () => {
    const { actor, email, codes } = await enrolled();
    await identity.request(SecondFactors.disableTotp, actor, {
      recovery_code: codes[3],
      device: laptop,
    });
    await identity.signIn(email);
    expect(
      await identity.failure(SecondFactors.disableTotp, actor, {
        recovery_code: codes[4],
        device: laptop,
      }),
    ).toMatchObject({ code: 'WRONG_STATE' });
  });
});

describe('proving again who one is', () => {
  it('takes a code where there is an app, and the password alone does not do', async () => {
    const { actor, secret } = await enrolled();
    identity.clock.advance(11 * minute);
    const stale = () => identity.failure(Reauthentication.check, undefined, actor);
    expect(await stale()).toMatchObject({ code: 'REAUTHENTICATION_REQUIRED' });
    const error = await identity.failure(Auth.reauthenticate, actor, {
      password: goodPassword,
      device: laptop,
    });
    expect(error.toProblem()).toMatchObject({
      code: 'MFA_REQUIRED',
      data: { mfa_required: true, methods: ['totp'] },
    });
    expect(await stale()).toMatchObject({ code: 'REAUTHENTICATION_REQUIRED' });

    await identity.request(Auth.reauthenticate, actor, { code: codeOf(secret), device: laptop });
    await identity.request(Reauthentication.check, undefined, { session_id: actor.session_id });
    expect(
      (await identity.auditOf('reauthentication.totp')).filter(
        ({ user_id }) => user_id === actor.user_id,
      ),
    ).toMatchObject([{ outcome: 'success', session_id: actor.session_id }]);
  });

  it('is not done by a change of the password where there is an app', async () => {
    const { actor } = await enrolled();
    identity.clock.advance(11 * minute);
    await changePassword(actor);
    expect(
      await identity.failure(Reauthentication.check, undefined, { session_id: actor.session_id }),
    ).toMatchObject({ code: 'REAUTHENTICATION_REQUIRED' });
  });

  it('takes no code twice, and no wrong one', async () => {
    const { actor, secret } = await enrolled();
    const code = codeOf(secret);
    await identity.request(Auth.reauthenticate, actor, { code, device: laptop });
    for (const wrong of [code, wrongCode(secret)]) {
      expect(
        await identity.failure(Auth.reauthenticate, actor, { code: wrong, device: laptop }),
      ).toMatchObject({ code: 'INVALID_CODE' });
    }
  });

  it('takes exactly one proof', async () => {
    const { actor } = await identity.signUp();
    for (const proofs of [{}, { password: goodPassword, code: '123456' }]) {
      const error = await identity.failure(Auth.reauthenticate, actor, {
        ...proofs,
        device: laptop,
      });
      expect(error).toBeInstanceOf(ApplicationError);
      expect(error).toMatchObject({
        code: 'VALIDATION_FAILED',
        errors: [{ field: 'password' }, { field: 'code' }, { field: 'passkey' }],
      });
    }
  });

  it('is asked of other services for a session, and not of one that has ended', async () => {
    const { actor } = await identity.signUp();
    const request = { session_id: actor.session_id };
    await identity.request(Reauthentication.check, undefined, request);
    await identity.request(Auth.logout, actor, { device: laptop });
    expect(await identity.failure(Reauthentication.check, undefined, request)).toMatchObject({
      code: 'REAUTHENTICATION_REQUIRED',
    });
  });
});
