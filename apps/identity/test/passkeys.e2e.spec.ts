import {
  Auth,
  type Caller,
  type PasskeyAdded,
  type PasskeyAssertion,
  Passkeys,
  SecondFactors,
  type SignedIn,
} from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Housekeeping } from '../src/housekeeping/housekeeping.js';
import { LinkedIdentities } from '../src/providers/linked-identities.js';
import { actorOf, goodPassword, IdentityFixture, laptop, phone } from './fixture.js';
import { type CeremonyFacts, SoftwareAuthenticator } from './software-authenticator.js';

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_passkeys', {
    PUBLIC_URL: 'https://mentorhub.example/app',
    ALLOWED_ORIGINS: 'https://www.mentorhub.example',
  });
  await identity.addReplica();
});
afterAll(() => identity.stop());

const minute = 60_000;

interface Holder extends SignedIn {
  actor: Caller;
  authenticator: SoftwareAuthenticator;
  passkey: PasskeyAdded;
}

const registrationOptions = (actor: Caller) =>
  identity.request(Passkeys.registrationOptions, actor, {});

async function add(
  actor: Caller,
  authenticator = new SoftwareAuthenticator(),
  name?: string,
): Promise<PasskeyAdded> {
  const credential = authenticator.create(await registrationOptions(actor));
  return identity.request(Passkeys.add, actor, { name, credential, device: laptop });
}

async function addFailure(actor: Caller, lies: Partial<CeremonyFacts>) {
  const credential = new SoftwareAuthenticator().create(await registrationOptions(actor), lies);
  return identity.failure(Passkeys.add, actor, { credential, device: laptop });
}

/** A user with a passkey. */
async function holder(): Promise<Holder> {
  const session = await identity.signUp();
  const authenticator = new SoftwareAuthenticator();
  const passkey = await add(session.actor, authenticator);
  return Object.assign(session, { authenticator, passkey });
}

const signInOptions = () => identity.request(Passkeys.signInOptions, undefined, { device: phone });

async function signIn({ authenticator }: Pick<Holder, 'authenticator'>): Promise<SignedIn> {
  const passkey = authenticator.get(await signInOptions());
  return identity.request(Passkeys.signIn, undefined, { passkey, device: phone });
}

async function signInFailure(authenticator: SoftwareAuthenticator, lies: Partial<CeremonyFacts>) {
  const passkey = authenticator.get(await signInOptions(), lies);
  return identity.failure(Passkeys.signIn, undefined, { passkey, device: phone });
}

type AssertionFields = PasskeyAssertion['response'];

const encoded = (text: string) => Buffer.from(text).toString('base64url');

/** What a passkey says to the question whether its user is there. */
async function confirmation({ actor, authenticator }: Pick<Holder, 'actor' | 'authenticator'>) {
  const options = await identity.request(Passkeys.confirmationOptions, actor, {});
  return { passkey: authenticator.get(options), device: laptop };
}

async function pending(email: string): Promise<string> {
  const request = { email, password: goodPassword, device: phone };
  const error = await identity.failure(Auth.login, undefined, request);
  expect(error).toMatchObject({ code: 'MFA_REQUIRED' });
  return String(error.data?.challenge);
}

const lies: [lie: string, facts: Partial<CeremonyFacts>][] = [
  ['for another origin', { origin: 'https://evil.example' }],
  ['for an origin that only looks like ours', { origin: 'https://mentorhub.example.evil.example' }],
  ['for our host without TLS', { origin: 'http://mentorhub.example' }],
  ['for another relying party', { rpId: 'evil.example' }],
  ['without having recognised the user', { userVerified: false }],
  ['for a challenge that was never issued', { challenge: 'bWFkZS11cA' }],
];

describe('adding a passkey', () => {
  it('asks for a discoverable credential that recognises its user, of the domain of PUBLIC_URL', async () => {
    const { actor, user } = await identity.signUp();
    const options = await registrationOptions(actor);
    expect(options).toMatchObject({
      rp: { id: 'mentorhub.example', name: 'MentorHub' },
      user: { name: user.email, displayName: user.full_name },
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      attestation: 'none',
      timeout: 300_000,
      excludeCredentials: [],
    });
    expect(Buffer.from(options.challenge, 'base64url')).toHaveLength(32);
    expect(Buffer.from(options.user.id, 'base64url')).toHaveLength(32);
  });

  it('stores it, and brings recovery codes with the first one alone', async () => {
    const { actor } = await identity.signUp();
    const first = await add(actor, new SoftwareAuthenticator(), 'Laptop');
    expect(first).toMatchObject({ name: 'Laptop', last_used_at: null });
    expect(first.recovery_codes).toHaveLength(10);
    const next = await registrationOptions(actor);
    expect(next.excludeCredentials).toHaveLength(1);
    const second = await add(actor);
    expect(second).not.toHaveProperty('recovery_codes');
    const { items } = await identity.request(Passkeys.list, actor, {});
    expect(items.map(({ id, name }) => [id, name])).toEqual([
      [first.id, 'Laptop'],
      [second.id, 'Passkey'],
    ]);
    expect(await identity.events('identity.user.passkey_added', actor.user_id)).toHaveLength(2);
    expect(await identity.request(SecondFactors.status, actor, {})).toMatchObject({
      enabled: true,
      totp_since: null,
      recovery_codes_left: 10,
      passkeys: [{ id: first.id }, { id: second.id }],
    });
  });

  it.each(lies)('is refused %s, and recorded', async (_lie, facts) => {
    const { actor } = await identity.signUp();
    expect(await addFailure(actor, facts)).toMatchObject({ code: 'INVALID_PASSKEY' });
    expect(await identity.request(Passkeys.list, actor, {})).toEqual({ items: [] });
    expect(
      (await identity.auditOf('passkey.add')).filter(({ user_id }) => user_id === actor.user_id),
    ).toMatchObject([{ outcome: 'failure' }]);
  });

  it('takes an allowed origin besides PUBLIC_URL', async () => {
    const { actor } = await identity.signUp();
    const credential = new SoftwareAuthenticator().create(await registrationOptions(actor), {
      origin: 'https://www.mentorhub.example',
    });
    const { id } = await identity.request(Passkeys.add, actor, { credential, device: laptop });
    expect(await identity.request(Passkeys.list, actor, {})).toMatchObject({ items: [{ id }] });
  });

  it('takes a challenge once, for five minutes, and of the same device', async () => {
    const { actor, user } = await identity.signUp();
    const refused = { code: 'INVALID_PASSKEY' };
    const options = await registrationOptions(actor);
    const request = () => ({
      credential: new SoftwareAuthenticator().create(options),
      device: laptop,
    });
    const elsewhere = await identity.signIn(user.email, phone);
    expect(await identity.failure(Passkeys.add, elsewhere.actor, request())).toMatchObject(refused);
    await identity.request(Passkeys.add, actor, request());
    expect(await identity.failure(Passkeys.add, actor, request())).toMatchObject(refused);

    const late = await registrationOptions(actor);
    identity.clock.advance(5 * minute);
    const credential = new SoftwareAuthenticator().create(late);
    expect(
      await identity.failure(Passkeys.add, actor, { credential, device: laptop }),
    ).toMatchObject(refused);
  });

  it('takes a credential for one account alone', async () => {
    const { authenticator } = await holder();
    const { actor } = await identity.signUp();
    const credential = authenticator.create(await registrationOptions(actor));
    const error = await identity.failure(Passkeys.add, actor, { credential, device: laptop });
    expect(error).toMatchObject({ code: 'CONFLICT' });
    expect(await identity.request(SecondFactors.status, actor, {})).toMatchObject({
      enabled: false,
    });
  });

  it('needs a fresh proof of the user', async () => {
    const { actor } = await identity.signUp();
    identity.clock.advance(10 * minute);
    expect(await identity.failure(Passkeys.registrationOptions, actor, {})).toMatchObject({
      code: 'REAUTHENTICATION_REQUIRED',
    });
  });

  it('ends at twenty', async () => {
    const { actor } = await identity.signUp();
    for (let n = 0; n < 20; n++) await add(actor);
    const credential = new SoftwareAuthenticator().create(await registrationOptions(actor));
    expect(
      await identity.failure(Passkeys.add, actor, { credential, device: laptop }),
    ).toMatchObject({ code: 'WRONG_STATE' });
  }, 30_000);
});

describe('signing in with a passkey', () => {
  it('needs nothing else, also where there is a second factor', async () => {
    const user = await holder();
    const options = await signInOptions();
    expect(options).toMatchObject({ rpId: 'mentorhub.example', userVerification: 'required' });
    expect(options).not.toHaveProperty('allowCredentials');
    const answer = await signIn(user);
    expect(answer.user.id).toBe(user.user.id);
    const { session_id } = actorOf(answer.access_token);
    expect(
      (await identity.auditOf('session.open')).find((entry) => entry.session_id === session_id),
    ).toMatchObject({ detail: { method: 'passkey', second_factor: 'passkey' } });
    const { items } = await identity.request(Passkeys.list, user.actor, {});
    expect(items[0]?.last_used_at).toBe(identity.clock.now().toISOString());
  });

  it.each(lies)('is refused %s', async (_lie, facts) => {
    const { authenticator } = await holder();
    expect(await signInFailure(authenticator, facts)).toMatchObject({ code: 'INVALID_PASSKEY' });
  });

  it('is refused when the answer is replayed, also from two replicas at once', async () => {
    const { authenticator } = await holder();
    const passkey = authenticator.get(await signInOptions());
    const outcomes = await Promise.allSettled(
      Array.from({ length: 6 }, () =>
        identity.request(Passkeys.signIn, undefined, { passkey, device: phone }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(
      await identity.failure(Passkeys.signIn, undefined, { passkey, device: phone }),
    ).toMatchObject({ code: 'INVALID_PASSKEY' });
  });

  it('uses a challenge up even when the answer to it was wrong', async () => {
    const { authenticator } = await holder();
    const options = await signInOptions();
    const attempt = (origin?: string) => ({
      passkey: authenticator.get(options, origin === undefined ? {} : { origin }),
      device: phone,
    });
    await identity.failure(Passkeys.signIn, undefined, attempt('https://evil.example'));
    expect(await identity.failure(Passkeys.signIn, undefined, attempt())).toMatchObject({
      code: 'INVALID_PASSKEY',
    });
  });

  it('is refused five minutes after it was begun', async () => {
    const { authenticator } = await holder();
    const options = await signInOptions();
    identity.clock.advance(5 * minute);
    expect(
      await identity.failure(Passkeys.signIn, undefined, {
        passkey: authenticator.get(options),
        device: phone,
      }),
    ).toMatchObject({ code: 'INVALID_PASSKEY' });
  });

  it('is refused for a challenge of another use', async () => {
    const { actor, authenticator } = await holder();
    const options = await identity.request(Passkeys.confirmationOptions, actor, {});
    expect(
      await identity.failure(Passkeys.signIn, undefined, {
        passkey: authenticator.get(options),
        device: phone,
      }),
    ).toMatchObject({ code: 'INVALID_PASSKEY' });
  });

  it('is refused for a credential that nobody registered, or that names another account', async () => {
    const { authenticator } = await holder();
    const foreign = new SoftwareAuthenticator();
    const handle = Buffer.alloc(32).toString('base64url');
    expect(await signInFailure(foreign, { userHandle: handle })).toMatchObject({
      code: 'INVALID_PASSKEY',
    });
    for (const userHandle of [handle, null]) {
      expect(await signInFailure(authenticator, { userHandle })).toMatchObject({
        code: 'INVALID_PASSKEY',
      });
    }
  });

  it('is refused for a signature of another key', async () => {
    const { authenticator } = await holder();
    const other = new SoftwareAuthenticator();
    const handle = authenticator.get(await signInOptions()).response.userHandle ?? null;
    const forged = other.get(await signInOptions(), { counter: 99, userHandle: handle });
    const { id } = authenticator;
    const passkey = Object.assign(forged, { id, rawId: id });
    expect(
      await identity.failure(Passkeys.signIn, undefined, { passkey, device: phone }),
    ).toMatchObject({ code: 'INVALID_PASSKEY' });
  });

  it('to a deactivated account is refused and recorded', async () => {
    const { authenticator, user } = await holder();
    await identity.dataSource.query('UPDATE users SET is_active = false WHERE id = $1', [user.id]);
    expect((await signInFailure(authenticator, {})).code).toBe('FORBIDDEN');
    expect(await identity.auditOf('session.open')).toContainEqual(
      expect.objectContaining({
        outcome: 'failure',
        user_id: user.id,
        detail: { method: 'passkey', code: 'FORBIDDEN' },
      }),
    );
  });

  it('fails so often from a network, as nobody is to fill the audit trail with made-up passkeys', async () => {
    const { authenticator } = await holder();
    const device = { user_agent: 'Flood', ip: '192.0.2.77' };
    const passkey = authenticator.get(await signInOptions(), { challenge: 'made-up' });
    const codes = [];
    for (let n = 0; n < 62; n++) {
      codes.push((await identity.failure(Passkeys.signIn, undefined, { passkey, device })).code);
    }
    expect(codes.slice(59)).toEqual(['INVALID_PASSKEY', 'RATE_LIMITED', 'RATE_LIMITED']);
    const recorded = await identity.auditOf('passkey.check');
    expect(recorded.filter(({ ip }) => ip === device.ip)).toHaveLength(60);
  });

  it('is refused when the counter has not grown: there is a copy of the key, which is recorded', async () => {
    const { authenticator, user } = await holder();
    await signIn({ authenticator });
    for (const counter of [2, 1, 0]) {
      expect(await signInFailure(authenticator, { counter })).toMatchObject({
        code: 'INVALID_PASSKEY',
      });
    }
    expect(
      (await identity.auditOf('passkey.check')).filter(({ user_id }) => user_id === user.id),
    ).toMatchObject(
      Array.from({ length: 3 }, () => ({
        outcome: 'failure',
        actor_id: null,
        detail: { reason: 'copied_passkey' },
      })),
    );
    const passkey = authenticator.get(await signInOptions(), { counter: 3 });
    await identity.request(Passkeys.signIn, undefined, { passkey, device: phone });
  });

  it('is possible with authenticators that do not count', async () => {
    const { actor } = await identity.signUp();
    const authenticator = new SoftwareAuthenticator();
    const credential = authenticator.create(await registrationOptions(actor), { counter: 0 });
    await identity.request(Passkeys.add, actor, { credential, device: laptop });
    for (let n = 0; n < 2; n++) {
      const passkey = authenticator.get(await signInOptions(), { counter: 0 });
      const answer = await identity.request(Passkeys.signIn, undefined, { passkey, device: phone });
      expect(answer.user.id).toBe(actor.user_id);
    }
  });

  it('is refused to a deactivated user', async () => {
    const { authenticator, user } = await holder();
    await identity.dataSource.query('UPDATE users SET is_active = false WHERE id = $1', [user.id]);
    expect(await signInFailure(authenticator, {})).toMatchObject({ code: 'FORBIDDEN' });
  });

  const nonsense: [what: string, change: (challenge: string) => Partial<AssertionFields>][] = [
    ['client data that are no base64url', () => ({ clientDataJSON: '%' })],
    ['client data that are null', () => ({ clientDataJSON: encoded('null') })],
    [
      'client data with a challenge alone',
      (challenge) => ({ clientDataJSON: encoded(JSON.stringify({ challenge })) }),
    ],
    ['authenticator data of one byte', () => ({ authenticatorData: 'AA' })],
    ['a signature of one byte', () => ({ signature: 'AA' })],
  ];

  it.each(nonsense)('is refused for %s', async (_what, change) => {
    const { authenticator } = await holder();
    const options = await signInOptions();
    const passkey = authenticator.get(options);
    Object.assign(passkey.response, change(options.challenge));
    expect(
      await identity.failure(Passkeys.signIn, undefined, { passkey, device: phone }),
    ).toMatchObject({ code: 'INVALID_PASSKEY' });
  });

  it('can be begun 300 times in 15 minutes from one network, and the challenges are deleted', async () => {
    const device = { ...phone, ip: '192.0.2.77' };
    const begin = () => identity.request(Passkeys.signInOptions, undefined, { device });
    for (let n = 0; n < 10; n++) await Promise.all(Array.from({ length: 30 }, begin));
    expect(await identity.failure(Passkeys.signInOptions, undefined, { device })).toMatchObject({
      code: 'RATE_LIMITED',
    });
    identity.clock.advance(5 * minute + 1);
    await identity.replicas[0]!.app.get(Housekeeping).sweep();
    expect(await identity.dataSource.query('SELECT FROM passkey_challenges')).toEqual([]);
  }, 30_000);
});

describe('a passkey as the second step', () => {
  it('completes a sign-in by password', async () => {
    const { authenticator, user } = await holder();
    const challenge = await pending(user.email);
    const options = await identity.request(SecondFactors.passkeyOptions, undefined, { challenge });
    expect(options.allowCredentials).toEqual([
      { id: authenticator.id, type: 'public-key', transports: ['internal'] },
    ]);
    const answer = await identity.request(SecondFactors.verify, undefined, {
      challenge,
      passkey: authenticator.get(options, { userHandle: null }),
      device: phone,
    });
    expect(answer.user.id).toBe(user.id);
  });

  it('or a recovery code does, when the device is lost', async () => {
    const { user, passkey } = await holder();
    const answer = await identity.request(SecondFactors.verify, undefined, {
      challenge: await pending(user.email),
      recovery_code: passkey.recovery_codes?.[0],
      device: phone,
    });
    expect(answer.user.id).toBe(user.id);
  });

  it('is refused for the passkey of another account', async () => {
    const { user } = await holder();
    const other = await holder();
    const challenge = await pending(user.email);
    const options = await identity.request(SecondFactors.passkeyOptions, undefined, { challenge });
    expect(
      await identity.failure(SecondFactors.verify, undefined, {
        challenge,
        passkey: other.authenticator.get(options),
        device: phone,
      }),
    ).toMatchObject({ code: 'INVALID_PASSKEY' });
  });

  it('is refused for options of another sign-in', async () => {
    const { authenticator, user } = await holder();
    const [one, two] = [await pending(user.email), await pending(user.email)];
    const options = await identity.request(SecondFactors.passkeyOptions, undefined, {
      challenge: one,
    });
    expect(
      await identity.failure(SecondFactors.verify, undefined, {
        challenge: two,
        passkey: authenticator.get(options),
        device: phone,
      }),
    ).toMatchObject({ code: 'INVALID_PASSKEY' });
  });
});

describe('proving again who one is with a passkey', () => {
  it('renews the proof of the session', async () => {
    const user = await holder();
    identity.clock.advance(11 * minute);
    expect(await identity.failure(Passkeys.registrationOptions, user.actor, {})).toMatchObject({
      code: 'REAUTHENTICATION_REQUIRED',
    });
    await identity.request(Auth.reauthenticate, user.actor, await confirmation(user));
    await registrationOptions(user.actor);
  });

  it('is refused for a passkey of somebody else, and the password does not do', async () => {
    const user = await holder();
    const other = await holder();
    const { actor } = user;
    const { authenticator } = other;
    expect(
      await identity.failure(
        Auth.reauthenticate,
        actor,
        await confirmation({ actor, authenticator }),
      ),
    ).toMatchObject({ code: 'INVALID_PASSKEY' });
    expect(
      await identity.failure(Auth.reauthenticate, actor, {
        password: goodPassword,
        device: laptop,
      }),
    ).toMatchObject({ code: 'MFA_REQUIRED', data: { methods: ['passkey'] } });
  });

  it('lets an account without an app have new recovery codes', async () => {
    const user = await holder();
    const { recovery_codes } = await identity.request(
      SecondFactors.replaceRecoveryCodes,
      user.actor,
      await confirmation(user),
    );
    expect(recovery_codes).toHaveLength(10);
  });
});

describe('passkeys of an account', () => {
  it('can be renamed and deleted by their owner alone', async () => {
    const { actor, passkey, user } = await holder();
    const other = await holder();
    const { id } = passkey;
    const device = laptop;
    for (const failure of [
      identity.failure(Passkeys.rename, other.actor, { id, name: 'Mine', device }),
      identity.failure(Passkeys.remove, other.actor, { id, device }),
    ]) {
      expect(await failure).toMatchObject({ code: 'NOT_FOUND' });
    }
    expect(
      await identity.request(Passkeys.rename, actor, { id, name: 'Key', device }),
    ).toMatchObject({ id, name: 'Key' });
    await identity.request(Passkeys.remove, actor, { id, device });
    expect(await identity.request(Passkeys.list, actor, {})).toEqual({ items: [] });
    expect(await identity.events('identity.user.passkey_removed', actor.user_id)).toEqual([
      { user_id: actor.user_id, second_step: false },
    ]);
    // It was the only second factor.
    await identity.signIn(user.email);
    expect(await identity.request(SecondFactors.status, actor, {})).toMatchObject({
      enabled: false,
      recovery_codes_left: 0,
    });
  });

  it('do not sign in any more once they are deleted', async () => {
    const { actor, authenticator, passkey } = await holder();
    await identity.request(Passkeys.remove, actor, { id: passkey.id, device: laptop });
    expect(await signInFailure(authenticator, {})).toMatchObject({ code: 'INVALID_PASSKEY' });
  });

  it('are not renamed or deleted without a fresh proof', async () => {
    const { actor, passkey } = await holder();
    identity.clock.advance(10 * minute);
    const request = { id: passkey.id, device: laptop };
    expect(await identity.failure(Passkeys.remove, actor, request)).toMatchObject({
      code: 'REAUTHENTICATION_REQUIRED',
    });
    expect(
      await identity.failure(Passkeys.rename, actor, { ...request, name: 'Key' }),
    ).toMatchObject({ code: 'REAUTHENTICATION_REQUIRED' });
  });

  it('let the last provider be unlinked, as a provider lets the last of them be deleted', async () => {
    const { actor, passkey } = await holder();
    const userId = actor.user_id;
    const issuer = 'https://provider.example';
    await identity.dataSource.query('UPDATE users SET password_hash = NULL WHERE id = $1', [
      userId,
    ]);
    const identities = identity.replicas[0]!.app.get(LinkedIdentities, { strict: false });
    const unlink = () =>
      identity.dataSource.transaction((tx) =>
        identities.unlink(tx, { userId, issuer, issuers: [issuer] }),
      );
    const link = () =>
      identity.dataSource.transaction((tx) =>
        identities.link(tx, { issuer, subject: 'ada', userId, now: identity.clock.now() }),
      );
    await link();
    await unlink();
    await link();
    await identity.request(Passkeys.remove, actor, { id: passkey.id, device: laptop });
    await expect(unlink()).rejects.toMatchObject({ code: 'WRONG_STATE' });
  });

  it('are not deleted while they are the only way to sign in, also two at once', async () => {
    const { actor, passkey } = await holder();
    const second = await add(actor);
    await identity.dataSource.query('UPDATE users SET password_hash = NULL WHERE id = $1', [
      actor.user_id,
    ]);
    const outcomes = await Promise.allSettled(
      [passkey, second].map(({ id }) =>
        identity.request(Passkeys.remove, actor, { id, device: laptop }),
      ),
    );
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const { items } = await identity.request(Passkeys.list, actor, {});
    expect(items).toHaveLength(1);
    expect(
      await identity.failure(Passkeys.remove, actor, { id: items[0]!.id, device: laptop }),
    ).toMatchObject({ code: 'WRONG_STATE' });
  });
});
