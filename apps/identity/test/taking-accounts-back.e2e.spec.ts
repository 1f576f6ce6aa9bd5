import {
  Auth,
  type Caller,
  EmailChanges,
  EmailLogin,
  EmailVerification,
  Erasure,
  PasswordChanges,
  Passkeys,
  Providers,
  SecondFactors,
  type SignedIn,
} from '@mentorhub/contracts';
import { eventually } from '@mentorhub/testing';
import { Secret, TOTP } from 'otpauth';
import type { QueryRunner } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SignIns } from '../src/auth/sign-ins.js';
import { User } from '../src/users/user.entity.js';
import { Rogue } from './fake-providers.js';
import { actorOf, goodPassword, IdentityFixture, laptop, phone } from './fixture.js';
import { SoftwareAuthenticator } from './software-authenticator.js';

let identity: IdentityFixture;
let rogue: Rogue;

beforeAll(async () => {
  rogue = await Rogue.start();
  identity = await IdentityFixture.start('identity_taking_back', {
    PUBLIC_URL: 'https://mentorhub.example/app',
    OIDC_PROVIDERS: 'rogue',
    OIDC_ROGUE_ISSUER: rogue.issuer,
    OIDC_ROGUE_CLIENT_ID: 'mentorhub',
    OIDC_ROGUE_CLIENT_SECRET: 'secret',
  });
});
afterAll(async () => {
  await identity.stop();
  await rogue.stop();
});

const day = 24 * 3_600_000;
const newPassword = 'kessel birke sturm';

function codeOf(secret: string): string {
  const timestamp = identity.clock.now().getTime();
  return TOTP.generate({ secret: Secret.fromBase32(secret), timestamp });
}

async function newCredential(actor: Caller, authenticator = new SoftwareAuthenticator()) {
  const options = await identity.request(Passkeys.registrationOptions, actor, {});
  return { credential: authenticator.create(options), device: laptop };
}

async function addPasskey(actor: Caller): Promise<SoftwareAuthenticator> {
  const authenticator = new SoftwareAuthenticator();
  await identity.request(Passkeys.add, actor, await newCredential(actor, authenticator));
  return authenticator;
}

async function signInWithPasskey(authenticator: SoftwareAuthenticator): Promise<SignedIn> {
  const options = await identity.request(Passkeys.signInOptions, undefined, { device: phone });
  const passkey = authenticator.get(options);
  return identity.request(Passkeys.signIn, undefined, { passkey, device: phone });
}

const enrol = (actor: Caller) =>
  identity.request(SecondFactors.enrolTotp, actor, { device: laptop });

const confirmFailure = (actor: Caller, code: string) =>
  identity.failure(SecondFactors.confirmTotp, actor, { code, device: phone });

async function addApp(actor: Caller): Promise<string> {
  const { secret } = await enrol(actor);
  const request = { code: codeOf(secret), device: laptop };
  await identity.request(SecondFactors.confirmTotp, actor, request);
  identity.clock.advance(30_000);
  return secret;
}

let people = 0;

/** Somebody with an account at the provider, who will come back from there to link it. */
async function linkVisit(actor: Caller) {
  people += 1;
  const account = { sub: `r${people}`, email: `rogue${people}@example.com` };
  const visit = await identity.request(Providers.startLink, actor, {
    provider: 'rogue',
    device: laptop,
  });
  return { account, finish: () => finishLink(actor, account, visit) };
}

interface Account {
  sub: string;
  email: string;
}

interface Visit {
  authorization_url: string;
  browser_token: string;
}

function returned(account: Account, { authorization_url, browser_token }: Visit, device = laptop) {
  rogue.claims = { ...account };
  return { ...rogue.visit(authorization_url), provider: 'rogue', browser_token, device };
}

function finishLink(actor: Caller, account: Account, visit: Visit): Promise<void> {
  return identity.request(Providers.link, actor, returned(account, visit));
}

async function addLink(actor: Caller): Promise<Account> {
  const { account, finish } = await linkVisit(actor);
  await finish();
  return account;
}

async function signInWithProvider(account: Account): Promise<SignedIn> {
  const request = { provider: 'rogue', device: phone };
  const visit = await identity.request(Providers.start, undefined, request);
  return identity.request(Providers.signIn, undefined, returned(account, visit, phone));
}

async function codeFrom(outcome: Promise<unknown>): Promise<string> {
  const error: unknown = await outcome.then(
    () => ({ code: 'none' }),
    (refusal: unknown) => refusal,
  );
  return (error as { code: string }).code;
}

async function pending(email: string, password = goodPassword): Promise<string> {
  const login = { email, password, device: phone };
  const error = await identity.failure(Auth.login, undefined, login);
  expect(error).toMatchObject({ code: 'MFA_REQUIRED' });
  return String(error.data?.['challenge']);
}

/** Gives the reader of a mailbox a new password. */
async function resetByMail({ id, email }: { id: number; email: string }): Promise<Caller> {
  const { token = '' } = await identity.mintMail(id, 'reset_password');
  const request = { token, new_password: newPassword, device: phone };
  await identity.request(PasswordChanges.reset, undefined, request);
  const login = { email, password: newPassword, device: phone };
  return actorOf((await identity.request(Auth.login, undefined, login)).access_token);
}

/** The token of the newest mail of a kind. */
async function mailOf(userId: number, kind: 'confirm_email_change' | 'undo_email_change') {
  const mails = await identity.events('identity.user.mail_requested', userId);
  const ref = mails.findLast(({ mail }) => mail === kind)?.['ref'] as number;
  return (await identity.mintMail(userId, kind, ref)).token ?? '';
}

/** Signs the reader of a mailbox in. */
async function signInByMail({ email }: { email: string }): Promise<Caller> {
  const browser_token = 'b'.repeat(43);
  await identity.request(EmailLogin.request, undefined, { email, browser_token, device: phone });
  const { user_id, ref } = (await identity.events('identity.user.mail_requested')).at(-1) as {
    user_id: number;
    ref: number;
  };
  const { code } = await identity.mintMail(user_id, 'sign_in_code', ref);
  const request = { email, code, browser_token, device: phone };
  return actorOf((await identity.request(EmailLogin.verify, undefined, request)).access);
}

/**
 * What comes of a request that meets another transaction which has locked the account: that one acts while the request
 * waits for it, and must not have to wait for the request.
 */
async function meeting<T>(
  userId: number,
  request: () => Promise<T>,
  act: (other: QueryRunner) => Promise<unknown>,
): Promise<PromiseSettledResult<T>> {
  const other = identity.dataSource.createQueryRunner();
  await other.connect();
  await other.startTransaction();
  try {
    await other.query(`SET LOCAL lock_timeout = '300ms'`);
    await other.query('SELECT FROM users WHERE id = $1 FOR UPDATE', [userId]);
    const [{ pid }] = (await other.query('SELECT pg_backend_pid() AS pid')) as [{ pid: number }];
    const outcome = Promise.allSettled([request()]);
    const waits = eventually('the request to wait for the account', async () => {
      const [row] = await identity.dataSource.query<object[]>(
        `SELECT 1 FROM pg_stat_activity
         WHERE datname = current_database() AND $1 = ANY (pg_blocking_pids(pid))`,
        [pid],
      );
      return row;
    });
    await Promise.race([waits, outcome]);
    await act(other);
    await other.commitTransaction();
    return (await outcome)[0];
  } finally {
    if (other.isTransactionActive) await other.rollbackTransaction();
    await other.release();
  }
}

/** Ends the sessions of a user, as everything does that takes an account back. */
const signOutAll = (userId: number) => (other: QueryRunner) =>
  other.query('UPDATE sessions SET revoked_at = $2 WHERE user_id = $1', [
    userId,
    identity.clock.now(),
  ]);

const refused = (code: string) => ({ status: 'rejected', reason: { code } });

const proofs = [
  ['a new password', resetByMail],
  ['a mailed code', signInByMail],
] as const;

describe.each(proofs)('the owner of an address who proves the mailbox by %s', (_, prove) => {
  it('is not shared an account with by the passkey of whoever registered it', async () => {
    const squatter = await identity.signUp();
    const authenticator = await addPasskey(squatter.actor);
    const owner = await prove(squatter.user);
    expect(owner.user_id).toBe(squatter.user.id);
    expect(await codeFrom(signInWithPasskey(authenticator))).toBe('INVALID_PASSKEY');
  });

  it('is not locked out by the authenticator app of whoever registered it', async () => {
    const squatter = await identity.signUp();
    await addApp(squatter.actor);
    const owner = await prove(squatter.user);
    expect(await identity.request(SecondFactors.status, owner, {})).toEqual({
      enabled: false,
      totp_since: null,
      recovery_codes_left: 0,
      passkeys: [],
    });
  });

  it('has nobody sign in with the account at a provider of whoever registered it', async () => {
    const squatter = await identity.signUp();
    const account = await addLink(squatter.actor);
    const owner = await prove(squatter.user);
    expect((await signInWithProvider(account)).user.id).not.toBe(owner.user_id);
  });
});

describe('a sign-in of an account that was not verified in time', () => {
  it('with a passkey is refused, as the address may be that of somebody else', async () => {
    const { actor } = await identity.signUp();
    const authenticator = await addPasskey(actor);
    await signInWithPasskey(authenticator);
    identity.clock.advance(7 * day);
    expect(await codeFrom(signInWithPasskey(authenticator))).toBe('FORBIDDEN');
  });

  it('with a provider is refused', async () => {
    const { actor } = await identity.signUp();
    const account = await addLink(actor);
    await signInWithProvider(account);
    identity.clock.advance(7 * day);
    expect(await codeFrom(signInWithProvider(account))).toBe('FORBIDDEN');
  });

  it('is refused at its second step', async () => {
    const { actor, user } = await identity.signUp();
    const secret = await addApp(actor);
    const challenge = await pending(user.email);
    await identity.dataSource.query('UPDATE users SET verify_by = $2 WHERE id = $1', [
      user.id,
      identity.clock.now(),
    ]);
    const request = { challenge, code: codeOf(secret), device: phone };
    expect(await identity.failure(SecondFactors.verify, undefined, request)).toMatchObject({
      code: 'FORBIDDEN',
    });
  });
});

describe('a sign-in that meets a reactivation', () => {
  it('waits for the second step all the same', async () => {
    const { actor, user } = await identity.signUp();
    await addApp(actor);
    const { manager } = identity.dataSource;
    await manager.update(User, { id: user.id }, { isActive: false });
    const before = await manager.findOneByOrFail(User, { id: user.id });
    await manager.update(User, { id: user.id }, { isActive: true });
    const opened = await identity.dataSource.transaction((tx) =>
      identity.replicas[0]!.app.get(SignIns).open(tx, before, {
        method: 'password',
        device: phone,
      }),
    );
    expect(opened).toMatchObject({ methods: expect.arrayContaining(['totp']) });
  });
});

describe('a thief who acts at the moment at which the account is taken back', () => {
  it('sets no password where there is none', async () => {
    const { actor, user } = await identity.signUp();
    const { id } = user;
    await identity.dataSource.query('UPDATE users SET password_hash = NULL WHERE id = $1', [id]);
    const change = () =>
      identity.request(PasswordChanges.change, actor, {
        new_password: newPassword,
        device: laptop,
      });
    expect(await meeting(id, change, signOutAll(id))).toMatchObject(
      refused('REAUTHENTICATION_REQUIRED'),
    );
  });

  it('adds no passkey', async () => {
    const { actor, user } = await identity.signUp();
    const request = await newCredential(actor);
    const add = () => identity.request(Passkeys.add, actor, request);
    expect(await meeting(user.id, add, signOutAll(user.id))).toMatchObject(
      refused('REAUTHENTICATION_REQUIRED'),
    );
    expect(await identity.request(Passkeys.list, actor, {})).toEqual({ items: [] });
  });

  it('sets no authenticator app up, neither its secret nor its first code', async () => {
    const { actor, user } = await identity.signUp();
    const { secret } = await enrol(actor);
    const code = codeOf(secret);
    const confirm = () =>
      identity.request(SecondFactors.confirmTotp, actor, { code, device: laptop });
    expect(await meeting(user.id, confirm, signOutAll(user.id))).toMatchObject(
      refused('UNAUTHENTICATED'),
    );
    const { actor: again } = await identity.signIn(user.email);
    expect(await meeting(user.id, () => enrol(again), signOutAll(user.id))).toMatchObject(
      refused('REAUTHENTICATION_REQUIRED'),
    );
  });

  it('links no account at a provider, however long it takes to answer', async () => {
    const { actor, user } = await identity.signUp();
    const { finish } = await linkVisit(actor);
    expect(await meeting(user.id, finish, signOutAll(user.id))).toMatchObject(
      refused('UNAUTHENTICATED'),
    );
    expect(await identity.request(Providers.linked, actor, {})).toEqual({ items: [] });
    const late = await identity.signIn(user.email);
    const visit = await linkVisit(late.actor);
    await identity.request(Auth.logoutAll, late.actor, { device: phone });
    expect(await codeFrom(visit.finish())).toBe('UNAUTHENTICATED');
  });

  it('does not sign in with an account at a provider that is unlinked then', async () => {
    const { actor, user } = await identity.signUp();
    const account = await addLink(actor);
    const outcome = await meeting(
      user.id,
      () => signInWithProvider(account),
      (other) => other.query('DELETE FROM linked_identities WHERE user_id = $1', [user.id]),
    );
    if (outcome.status === 'rejected') throw outcome.reason;
    // Somebody new.
    expect(outcome.value.user).toMatchObject({ email: account.email });
    expect(outcome.value.user.id).not.toBe(user.id);
  });

  it('does not sign in with a passkey that is removed then, nor keeps it from being removed', async () => {
    const { actor, user } = await identity.signUp();
    const authenticator = await addPasskey(actor);
    const outcome = await meeting(
      user.id,
      () => signInWithPasskey(authenticator),
      (other) => other.query('DELETE FROM passkeys WHERE user_id = $1', [user.id]),
    );
    expect(outcome).toMatchObject(refused('INVALID_PASSKEY'));
  });

  it('does not erase the account', async () => {
    const { actor, user } = await identity.signUp();
    const erase = () => identity.request(Erasure.erase, actor, { device: laptop });
    expect(await meeting(user.id, erase, signOutAll(user.id))).toMatchObject(
      refused('REAUTHENTICATION_REQUIRED'),
    );
  });
});

describe('recovery codes', () => {
  it('that a thief has made do not outlive the change of the address that is undone', async () => {
    const { actor, user } = await identity.signUp();
    await identity.verify({ actor });
    const secret = await addApp(actor);
    identity.clock.advance(2 * day);
    const proof = { code: codeOf(secret), device: laptop };
    await identity.request(Auth.reauthenticate, actor, proof);
    identity.clock.advance(30_000);
    const { recovery_codes } = await identity.request(SecondFactors.replaceRecoveryCodes, actor, {
      code: codeOf(secret),
      device: laptop,
    });
    identity.clock.advance(30_000);
    await identity.request(EmailChanges.request, actor, {
      email: `thief${user.id}@example.com`,
      device: laptop,
    });
    const confirmation = await mailOf(user.id, 'confirm_email_change');
    const confirm = { token: confirmation, device: laptop };
    await identity.request(EmailChanges.confirm, actor, confirm);
    const undo = { token: await mailOf(user.id, 'undo_email_change'), device: phone };
    await identity.request(EmailChanges.undo, undefined, undo);
    const { token = '' } = await identity.mintMail(user.id, 'reset_password');
    const reset = { token, new_password: newPassword, device: phone };
    await identity.request(PasswordChanges.reset, undefined, reset);
    const challenge = await pending(user.email, newPassword);
    const shown = { challenge, recovery_code: recovery_codes[0]!, device: phone };
    expect(await identity.failure(SecondFactors.verify, undefined, shown)).toMatchObject({
      code: 'INVALID_CODE',
    });
    // The owner has the app still.
    const own = { challenge, code: codeOf(secret), device: phone };
    await identity.request(SecondFactors.verify, undefined, own);
  });
});

describe('the first second factor of an account', () => {
  it.each([
    ['an authenticator app', addApp],
    ['a passkey', addPasskey],
  ])('%s makes the proofs of other devices old, and leaves that of its own', async (_, add) => {
    const { actor, user } = await identity.signUp();
    const { actor: elsewhere } = await identity.signIn(user.email, phone);
    await add(actor);
    const options = (who: Caller) => identity.request(Passkeys.registrationOptions, who, {});
    expect(await codeFrom(options(elsewhere))).toBe('REAUTHENTICATION_REQUIRED');
    await options(actor);
  });

  it('is set up before a password that is shown at the same moment counts as a proof', async () => {
    const { actor, user } = await identity.signUp();
    identity.clock.advance(day / 24);
    const prove = () =>
      identity.request(Auth.reauthenticate, actor, { password: goodPassword, device: laptop });
    const outcome = await meeting(user.id, prove, (other) =>
      other.query(
        `INSERT INTO totp_factors (user_id, secret, created_at, confirmed_at, last_step)
         VALUES ($1, '\\x00', $2, $2, 0)`,
        [user.id, identity.clock.now()],
      ),
    );
    expect(outcome).toMatchObject(refused('MFA_REQUIRED'));
  });
});

describe('the first code of an authenticator app', () => {
  it('is taken from the device that has the secret, and from no other one', async () => {
    const { actor, user } = await identity.signUp();
    const { actor: elsewhere } = await identity.signIn(user.email, phone);
    const { secret } = await enrol(actor);
    expect((await confirmFailure(elsewhere, codeOf(secret))).code).toBe('WRONG_STATE');
    const request = { code: codeOf(secret), device: laptop };
    await identity.request(SecondFactors.confirmTotp, actor, request);
  });

  it('cannot be guessed', async () => {
    const { actor } = await identity.signUp();
    const { secret } = await enrol(actor);
    const wrong = codeOf(secret) === '000000' ? '111111' : '000000';
    for (let n = 0; n < 10; n++) {
      expect((await confirmFailure(actor, wrong)).code).toBe('INVALID_CODE');
    }
    expect((await confirmFailure(actor, codeOf(secret))).code).toBe('RATE_LIMITED');
  });
});

describe('a link of a mail that is opened while the account is taken back', () => {
  it('does not keep it from being made void', async () => {
    const { actor, user } = await identity.signUp();
    const { token = '' } = await identity.mintMail(user.id, 'verify_email');
    const verify = () =>
      identity.request(EmailVerification.verify, actor, { token, device: laptop });
    const outcome = await meeting(user.id, verify, (other) =>
      other.query('DELETE FROM mail_tokens WHERE user_id = $1', [user.id]),
    );
    expect(outcome).toMatchObject(refused('INVALID_TOKEN'));
  });

  it('is not made for a change of the address that ends then', async () => {
    const { actor, user } = await identity.signUp();
    const email = `next${user.id}@example.com`;
    await identity.request(EmailChanges.request, actor, { email, device: laptop });
    const mint = () => mailOf(user.id, 'confirm_email_change');
    const outcome = await meeting(user.id, mint, (other) =>
      other.query('DELETE FROM email_changes WHERE user_id = $1', [user.id]),
    );
    expect(outcome).toMatchObject(refused('NOT_FOUND'));
  });
});

describe('an account with a second factor', () => {
  it('is not linked to an account at a provider of the same address, which would be a way in after half a sign-in', async () => {
    const { actor, user } = await identity.signUp();
    await identity.verify({ actor });
    await addApp(actor);
    const account = { sub: `same${user.id}`, email: user.email };
    expect(await codeFrom(signInWithProvider(account))).toBe('EMAIL_TAKEN');
    expect(await identity.request(Providers.linked, actor, {})).toEqual({ items: [] });
  });
});
