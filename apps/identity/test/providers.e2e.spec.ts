import {
  Auth,
  type Caller,
  type Device,
  Providers,
  SecondFactors,
  Sessions,
  type SignedIn,
  type StartedVisit,
  Users,
} from '@mentorhub/contracts';
import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Housekeeping } from '../src/housekeeping/housekeeping.js';
import { Campus, FakeGitHub, type Person, type Return, Rogue } from './fake-providers.js';
import { actorOf, IdentityFixture, laptop, phone } from './fixture.js';

let identity: IdentityFixture;
let campus: Campus;
let rogue: Rogue;
let github: FakeGitHub;
let people = 0;

beforeAll(async () => {
  [campus, rogue, github] = await Promise.all([
    Campus.start('campus'),
    Rogue.start(),
    FakeGitHub.start(),
  ]);
  identity = await IdentityFixture.start('identity_providers', {
    OIDC_PROVIDERS: 'campus,rogue,asleep',
    OIDC_CAMPUS_ISSUER: campus.issuer,
    OIDC_CAMPUS_CLIENT_ID: 'mentorhub',
    OIDC_CAMPUS_CLIENT_SECRET: 'a secret of the client',
    OIDC_CAMPUS_LABEL: 'Campus',
    OIDC_ROGUE_ISSUER: rogue.issuer,
    OIDC_ROGUE_CLIENT_ID: 'mentorhub',
    OIDC_ROGUE_CLIENT_SECRET: 'secret',
    // Nothing listens there.
    OIDC_ASLEEP_ISSUER: 'http://127.0.0.1:9',
    OIDC_ASLEEP_CLIENT_ID: 'mentorhub',
    OIDC_ASLEEP_CLIENT_SECRET: 'secret',
    OIDC_GITHUB_CLIENT_ID: 'mentorhub',
    OIDC_GITHUB_CLIENT_SECRET: 'a secret of the app',
    OIDC_GITHUB_URL: github.url,
  });
});
afterAll(async () => {
  await identity.stop();
  await Promise.all([campus.stop(), rogue.stop(), github.stop()]);
});
beforeEach(() => rogue.reset());

const minute = 60_000;

/** Somebody whom nothing here knows yet. */
function stranger(changes: Partial<Person> = {}): Person {
  people += 1;
  return {
    sub: `s${people}`,
    email: `campus${people}@example.com`,
    email_verified: true,
    name: 'Ada Lovelace',
    ...changes,
  };
}

function start(provider: string, device = laptop): Promise<StartedVisit> {
  return identity.request(Providers.start, undefined, { provider, device });
}

function back(
  provider: string,
  { browser_token }: { browser_token: string | null },
  returned: Return,
  device: Device = laptop,
) {
  return { ...returned, provider, browser_token, device };
}

async function signIn(person: Person, device = laptop): Promise<SignedIn & { actor: Caller }> {
  campus.person = person;
  const visit = await start('campus', device);
  const returned = await campus.visit(visit.authorization_url);
  const answer = await identity.request(
    Providers.signIn,
    undefined,
    back('campus', visit, returned, device),
  );
  return Object.assign(answer, { actor: actorOf(answer.access_token) });
}

async function signInFailure(person: Person) {
  campus.person = person;
  const visit = await start('campus');
  const returned = await campus.visit(visit.authorization_url);
  return identity.failure(Providers.signIn, undefined, back('campus', visit, returned));
}

async function rogueFailure() {
  const visit = await start('rogue');
  const returned = rogue.visit(visit.authorization_url);
  return identity.failure(Providers.signIn, undefined, back('rogue', visit, returned));
}

async function link(actor: Caller, person: Person): Promise<void> {
  campus.person = person;
  const visit = await identity.request(Providers.startLink, actor, {
    provider: 'campus',
    device: laptop,
  });
  const returned = await campus.visit(visit.authorization_url);
  await identity.request(Providers.link, actor, back('campus', visit, returned));
}

async function linkFailure(actor: Caller, person: Person) {
  const outcome = await link(actor, person).catch((error: unknown) => error);
  if (outcome instanceof Error) return outcome;
  throw new Error('Linking did not fail.');
}

async function linkedTo(actor: Caller): Promise<string[]> {
  const { items } = await identity.request(Providers.linked, actor, {});
  return items.map(({ id }) => id);
}

async function usersOf(email: string): Promise<number> {
  const rows = await identity.dataSource.query<unknown[]>('SELECT FROM users WHERE email = $1', [
    email,
  ]);
  return rows.length;
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

function unlink(actor: Caller): Promise<void> {
  return identity.request(Providers.unlink, actor, { provider: 'campus', device: laptop });
}

async function unlinkRefusal(actor: Caller): Promise<string> {
  const request = { provider: 'campus', device: laptop };
  return (await identity.failure(Providers.unlink, actor, request)).code;
}

describe('the providers', () => {
  it('are those of the configuration', async () => {
    const { items } = await identity.request(Providers.list, undefined, {});
    expect(items).toEqual([
      { id: 'github', name: 'GitHub' },
      { id: 'campus', name: 'Campus' },
      { id: 'rogue', name: 'rogue' },
      { id: 'asleep', name: 'asleep' },
    ]);
    const unknown = await identity.failure(Providers.start, undefined, {
      provider: 'google',
      device: laptop,
    });
    expect(unknown.code).toBe('NOT_FOUND');
  });

  it('are asked with PKCE, state and nonce, none of which is stored', async () => {
    const { authorization_url, browser_token, expires_in } = await start('campus');
    expect(expires_in).toBe(600);
    const query = Object.fromEntries(new URL(authorization_url).searchParams);
    expect(query).toMatchObject({
      response_type: 'code',
      client_id: 'mentorhub',
      redirect_uri: 'http://localhost:8000/sign-in/campus',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    });
    const rows = await identity.dataSource.query<{ row: string }[]>(
      `SELECT encode(state_hash, 'escape') || encode(browser_hash, 'escape') || provider_visits::text AS row
       FROM provider_visits`,
    );
    for (const secret of [query['state'], query['nonce'], browser_token]) {
      for (const text of [String(secret), Buffer.from(String(secret)).toString('hex')]) {
        expect(rows.map(({ row }) => row).join()).not.toContain(text);
      }
    }
  });

  it('that are away are answered 503, and keep nobody from starting', async () => {
    const failure = await identity.failure(Providers.start, undefined, {
      provider: 'asleep',
      device: laptop,
    });
    expect(failure).toMatchObject({ code: 'PROVIDER_UNAVAILABLE', retryAfterSeconds: 10 });
  });
});

describe('signing in with a provider', () => {
  it('opens an account with the verified address and no password, and finds it again', async () => {
    const person = stranger({ name: 'Grace Hopper' });
    const first = await signIn(person);
    expect(first.user).toMatchObject({
      email: person.email,
      full_name: 'Grace Hopper',
      email_verified: true,
      role: 'student',
    });
    expect(await identity.events('identity.user.registered', first.user.id)).toHaveLength(1);
    // Opening it was the user's own doing.
    expect(await identity.events('identity.user.provider_linked', first.user.id)).toEqual([]);
    const [row] = await identity.dataSource.query<{ password_hash: string | null }[]>(
      'SELECT password_hash FROM users WHERE id = $1',
      [first.user.id],
    );
    expect(row?.password_hash).toBeNull();

    const again = await signIn({ ...person, email: 'moved@example.com', name: 'G. H.' }, phone);
    expect(again.user).toEqual(first.user);
    expect(await linkedTo(again.actor)).toEqual(['campus']);
    const { items } = await identity.request(Sessions.list, again.actor, {});
    expect(items.map(({ ip }) => ip)).toEqual([phone.ip, laptop.ip]);
    expect(await identity.auditOf('session.open')).toContainEqual(
      expect.objectContaining({ user_id: first.user.id, detail: { method: 'provider' } }),
    );
    expect(await identity.auditOf('provider.register')).toContainEqual(
      expect.objectContaining({ user_id: first.user.id, detail: { provider: 'campus' } }),
    );
  });

  it('takes no name that nobody may have here', async () => {
    const { user } = await signIn(stranger({ name: 'Win at https://evil.example' }));
    expect(user.full_name).toBe('MentorHub member');
  });

  it('links the account of the same address where both have verified it, and says so', async () => {
    const own = await identity.signUp();
    await identity.verify(own);
    const { user, actor } = await signIn(stranger({ email: own.user.email.toUpperCase() }));
    expect(user.id).toBe(own.user.id);
    expect(await linkedTo(actor)).toEqual(['campus']);
    expect(await identity.events('identity.user.provider_linked', user.id)).toEqual([
      { user_id: user.id, provider_name: 'Campus' },
    ]);
    expect(await identity.auditOf('provider.link')).toContainEqual(
      expect.objectContaining({ user_id: user.id, outcome: 'success' }),
    );
  });

  it('does not enter an account that somebody registered with the address before', async () => {
    const squatter = await identity.signUp();
    const failure = await signInFailure(stranger({ email: squatter.user.email }));
    expect(failure.code).toBe('EMAIL_TAKEN');
    expect(await linkedTo(squatter.actor)).toEqual([]);
    expect(await identity.auditOf('provider.sign_in')).toContainEqual(
      expect.objectContaining({
        outcome: 'failure',
        detail: { provider: 'campus', code: 'EMAIL_TAKEN' },
      }),
    );
  });

  it('does not enter the account of an administrator by its address', async () => {
    const own = await identity.signUp();
    await identity.verify(own);
    await identity.dataSource.query('UPDATE users SET is_admin = true WHERE id = $1', [
      own.user.id,
    ]);
    expect((await signInFailure(stranger({ email: own.user.email }))).code).toBe('EMAIL_TAKEN');
  });

  it.each([
    ['that it has not verified', { email_verified: false }],
    ['of which it does not say so', { email_verified: undefined }],
    ['that it does not tell', { email: undefined }],
  ])('with an address %s opens and links nothing', async (_which, changes) => {
    const own = await identity.signUp();
    await identity.verify(own);
    const newcomer = stranger({ ...changes });
    expect((await signInFailure(newcomer)).code).toBe('EMAIL_NOT_VERIFIED');
    expect(await usersOf(newcomer.email ?? 'none')).toBe(0);
    const claimant = { ...stranger({ email: own.user.email }), ...changes };
    expect((await signInFailure(claimant)).code).toBe('EMAIL_NOT_VERIFIED');
    expect(await linkedTo(own.actor)).toEqual([]);
  });

  it('is refused to the deactivated, and links nothing to them', async () => {
    const own = await identity.signUp();
    await identity.verify(own);
    await identity.dataSource.query('UPDATE users SET is_active = false WHERE id = $1', [
      own.user.id,
    ]);
    expect((await signInFailure(stranger({ email: own.user.email }))).code).toBe('FORBIDDEN');
    expect(await linkedTo(own.actor)).toEqual([]);
  });

  it('leaves the second factor of the account to be shown', async () => {
    const own = await identity.signUp();
    const { actor } = own;
    const person = stranger();
    await link(actor, person);
    const { secret } = await identity.request(SecondFactors.enrolTotp, actor, { device: laptop });
    const timestamp = identity.clock.now().getTime();
    const code = TOTP.generate({ secret: Secret.fromBase32(secret), timestamp });
    await identity.request(SecondFactors.confirmTotp, actor, { code, device: laptop });
    const refusals = (await identity.auditOf('provider.sign_in')).length;
    expect(await signInFailure(person)).toMatchObject({
      code: 'MFA_REQUIRED',
      data: { challenge: expect.any(String), methods: expect.arrayContaining(['totp']) },
    });
    const { total } = await identity.request(Sessions.list, actor, {});
    expect(total).toBe(1);
    // Half a sign-in is no refusal.
    expect(await identity.auditOf('provider.sign_in')).toHaveLength(refusals);
  });

  it('twice at the same time opens one account', async () => {
    campus.person = stranger();
    const visits = [await start('campus'), await start('campus'), await start('campus')];
    const returns: Return[] = [];
    for (const visit of visits) returns.push(await campus.visit(visit.authorization_url));
    const answers = await Promise.all(
      visits.map((visit, n) =>
        identity.request(Providers.signIn, undefined, back('campus', visit, returns[n]!)),
      ),
    );
    expect(new Set(answers.map(({ user }) => user.id)).size).toBe(1);
    expect(await usersOf(campus.person.email!)).toBe(1);
  });

  it('works for accounts that GitHub knows by a number, with its primary address', async () => {
    github.user = { id: 583_231, login: 'octocat', name: null };
    github.emails = [
      { email: 'other@example.com', primary: false, verified: true },
      { email: 'Octocat@example.com', primary: true, verified: true },
    ];
    const visit = await start('github');
    const returned = github.visit(visit.authorization_url);
    const first = await identity.request(
      Providers.signIn,
      undefined,
      back('github', visit, returned),
    );
    expect(first.user).toMatchObject({
      email: 'octocat@example.com',
      full_name: 'MentorHub member',
    });
    github.user = { id: 583_231, login: 'renamed', name: 'Mona' };
    const second = await start('github');
    const again = await identity.request(
      Providers.signIn,
      undefined,
      back('github', second, github.visit(second.authorization_url)),
    );
    expect(again.user.id).toBe(first.user.id);
  });

  it.each([
    ['is not verified', [{ email: 'new@example.com', primary: true, verified: false }]],
    ['is missing', []],
  ])('with GitHub opens nothing when the primary address %s', async (_how, emails) => {
    github.user = { id: 777, name: 'Mallory' };
    github.emails = emails;
    const visit = await start('github');
    const returned = github.visit(visit.authorization_url);
    const failure = await identity.failure(
      Providers.signIn,
      undefined,
      back('github', visit, returned),
    );
    expect(failure.code).toBe('EMAIL_NOT_VERIFIED');
  });

  it.each<[string, unknown, unknown]>([
    ['a user without a number', { id: '583231; DROP TABLE users' }, []],
    ['no list of addresses', { id: 5 }, { message: 'Not Found' }],
    ['nothing', null, null],
  ])('is refused when GitHub answers %s', async (_what, user, emails) => {
    github.user = user as Record<string, unknown>;
    github.emails = emails;
    const visit = await start('github');
    const failure = await identity.failure(
      Providers.signIn,
      undefined,
      back('github', visit, github.visit(visit.authorization_url)),
    );
    expect(failure.code).toBe('INVALID_TOKEN');
  });
});

describe('a return from a provider is refused', () => {
  let visit: StartedVisit;
  let returned: Return;

  beforeEach(async () => {
    campus.person = stranger();
    visit = await start('campus');
    returned = await campus.visit(visit.authorization_url);
  });

  const refusal = async (
    changes: Partial<Return> = {},
    browser: { browser_token: string | null } = visit,
    provider = 'campus',
  ) => {
    const request = back(provider, browser, { ...returned, ...changes });
    return (await identity.failure(Providers.signIn, undefined, request)).code;
  };

  it('so often from a network, as nobody is to fill the audit trail with made-up ones', async () => {
    const junk = back('campus', visit, { ...returned, state: 'made-up' }, phone);
    const codes = [];
    for (let n = 0; n < 62; n++) {
      codes.push((await identity.failure(Providers.signIn, undefined, junk)).code);
    }
    expect(codes.slice(59)).toEqual(['INVALID_TOKEN', 'RATE_LIMITED', 'RATE_LIMITED']);
    const recorded = (await identity.auditOf('provider.sign_in')).filter(
      ({ ip, outcome }) => ip === phone.ip && outcome === 'failure',
    );
    expect(recorded).toHaveLength(60);
    identity.clock.advance(15 * minute);
    await identity.dataSource.query('DELETE FROM network_counters');
  });

  it('with another state', async () => {
    const other = await start('campus');
    expect(await refusal({ state: 'made-up' })).toBe('INVALID_TOKEN');
    expect(
      await refusal({ state: new URL(other.authorization_url).searchParams.get('state')! }),
    ).toBe('INVALID_TOKEN');
  });

  it('in another browser, or one without the cookie; and the right one can still finish', async () => {
    // An attacker has a victim finish the attacker's own visit (login CSRF).
    const victim = await start('campus', phone);
    expect(await refusal({}, victim)).toBe('INVALID_TOKEN');
    expect(await refusal({}, { browser_token: null })).toBe('INVALID_TOKEN');
    await identity.request(Providers.signIn, undefined, back('campus', visit, returned));
  });

  it('the second time, also with a new visit around the same code', async () => {
    await identity.request(Providers.signIn, undefined, back('campus', visit, returned));
    expect(await refusal()).toBe('INVALID_TOKEN');
    // The code of one visit in another: the provider knows its verifier.
    const other = await start('campus');
    const { state } = await campus.visit(other.authorization_url);
    expect(await refusal({ state }, other)).toBe('INVALID_TOKEN');
  });

  it('with a code that was stolen from another visit', async () => {
    const thief = await start('campus', phone);
    const { state } = await campus.visit(thief.authorization_url);
    expect(await refusal({ state, code: returned.code }, thief)).toBe('INVALID_TOKEN');
  });

  it('when another provider answered (mix-up)', async () => {
    for (const iss of [undefined, rogue.issuer, campus.issuer]) {
      expect(await refusal({ iss }, visit, 'rogue')).toBe('INVALID_TOKEN');
    }
    // The code would be the rogue's to use.
    expect(rogue.exchanges).toBe(0);
    expect(await refusal({ iss: rogue.issuer })).toBe('INVALID_TOKEN');
  });

  it('without the issuer, where the provider always names it', async () => {
    expect(await refusal({ iss: undefined })).toBe('INVALID_TOKEN');
  });

  it('after ten minutes', async () => {
    identity.clock.advance(10 * minute);
    expect(await refusal()).toBe('INVALID_TOKEN');
    identity.clock.advance(1);
    await identity.replicas[0]!.app.get(Housekeeping).sweep();
    expect(await identity.dataSource.query('SELECT FROM provider_visits')).toEqual([]);
  });

  it('and the trail says which provider, and why', async () => {
    expect(await refusal({ state: 'made-up' })).toBe('INVALID_TOKEN');
    expect((await identity.auditOf('provider.sign_in')).at(-1)).toMatchObject({
      outcome: 'failure',
      actor_id: null,
      ip: laptop.ip,
      detail: { provider: 'campus', code: 'INVALID_TOKEN' },
    });
  });

  it('when it was to link, not to sign in, and the other way round', async () => {
    const { actor } = await identity.signUp();
    const linking = await identity.request(Providers.startLink, actor, {
      provider: 'campus',
      device: laptop,
    });
    const linkReturn = await campus.visit(linking.authorization_url);
    expect(await refusal(linkReturn, linking)).toBe('INVALID_TOKEN');
    const failure = await identity.failure(Providers.link, actor, back('campus', visit, returned));
    expect(failure.code).toBe('INVALID_TOKEN');
    // Nor may another user finish it.
    const other = await identity.signUp();
    const foreign = await identity.failure(
      Providers.link,
      other.actor,
      back('campus', linking, linkReturn),
    );
    expect(foreign.code).toBe('INVALID_TOKEN');
  });
});

describe('an ID token is refused', () => {
  it.each<[string, () => Record<string, unknown>]>([
    ['with another nonce', () => ({ nonce: 'another' })],
    ['without a nonce', () => ({ nonce: undefined })],
    ['of another issuer', () => ({ iss: campus.issuer })],
    ['for another client', () => ({ aud: 'another' })],
    ['for several, when another may use it', () => ({ aud: ['mentorhub', 'b'], azp: 'b' })],
    ['that has expired', () => ({ exp: now() - 60, iat: now() - 120 })],
    ['without a subject', () => ({ sub: undefined })],
    ['with a subject that is no text', () => ({ sub: { $ne: '' } })],
    ['with a subject of control characters', () => ({ sub: 'a\u0000b' })],
  ])('%s', async (_how, claims) => {
    rogue.claims = claims();
    expect((await rogueFailure()).code).toBe('INVALID_TOKEN');
    expect(await usersOf('rogue@example.com')).toBe(0);
  });

  it('signed by another key', async () => {
    rogue.forges = true;
    expect((await rogueFailure()).code).toBe('INVALID_TOKEN');
    expect(await usersOf('rogue@example.com')).toBe(0);
  });
});

describe('a provider that answers badly', () => {
  it.each([
    ['500', 500, 'PROVIDER_UNAVAILABLE'],
    ['429', 429, 'PROVIDER_UNAVAILABLE'],
    ['a redirect to elsewhere', 302, 'INVALID_TOKEN'],
    ['no JSON', 200, 'INVALID_TOKEN'],
  ] as const)('with %s fails the sign-in, and is asked once', async (_what, status, code) => {
    rogue.answer = (_, response) =>
      response.writeHead(status, { location: 'http://127.0.0.1:9/' }).end('<p>Sorry</p>');
    expect((await rogueFailure()).code).toBe(code);
    expect(rogue.exchanges).toBe(1);
  });

  it('without end is not read to the end', async () => {
    let written = 0;
    rogue.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const write = (): void => {
        if (response.destroyed || written > 100_000_000) return;
        written += 65_536;
        if (response.write(' '.repeat(65_536))) setImmediate(write);
        else response.once('drain', write);
      };
      write();
    };
    expect((await rogueFailure()).code).toBe('PROVIDER_UNAVAILABLE');
    expect(written).toBeLessThan(20_000_000);
  });

  it('not at all is given up in time, and holds no transaction', async () => {
    rogue.answer = () => undefined;
    const began = performance.now();
    const failing = rogueFailure();
    await expect.poll(() => rogue.exchanges).toBe(1);
    const [held] = await identity.dataSource.query<{ count: number }[]>(
      `SELECT count(*)::int AS count FROM pg_stat_activity
       WHERE datname = current_database() AND state LIKE 'idle in transaction%'`,
    );
    expect(held?.count).toBe(0);
    expect((await failing).code).toBe('PROVIDER_UNAVAILABLE');
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

describe('linking', () => {
  it('lets a signed-in user sign in with the provider from then on', async () => {
    const own = await identity.signUp();
    const person = stranger();
    await link(own.actor, person);
    await link(own.actor, person);
    expect(await linkedTo(own.actor)).toEqual(['campus']);
    expect((await signIn(person)).user.id).toBe(own.user.id);
    expect(await identity.events('identity.user.provider_linked', own.user.id)).toHaveLength(1);
  });

  it('needs a fresh proof of who it is', async () => {
    const { actor } = await identity.signUp();
    identity.clock.advance(10 * minute);
    const failure = await identity.failure(Providers.startLink, actor, {
      provider: 'campus',
      device: laptop,
    });
    expect(failure.code).toBe('REAUTHENTICATION_REQUIRED');
  });

  it('is refused for an unverified address, for another user’s account, and for a second one', async () => {
    const [own, other] = [await identity.signUp(), await identity.signUp()];
    const unverified = stranger({ email_verified: false });
    expect(await linkFailure(own.actor, unverified)).toMatchObject({ code: 'EMAIL_NOT_VERIFIED' });
    const person = stranger();
    await link(other.actor, person);
    expect(await linkFailure(own.actor, person)).toMatchObject({ code: 'CONFLICT' });
    expect(await linkFailure(other.actor, stranger())).toMatchObject({ code: 'CONFLICT' });
    expect(await linkedTo(own.actor)).toEqual([]);
    expect((await identity.auditOf('provider.link')).at(-1)).toMatchObject({
      outcome: 'failure',
      actor_id: other.user.id,
      detail: { provider: 'campus', code: 'CONFLICT' },
    });
  });
});

describe('unlinking', () => {
  it('ends the way in, is reported, and the account at the provider is a stranger again', async () => {
    const own = await identity.signUp();
    const person = stranger();
    await link(own.actor, person);
    await unlink(own.actor);
    expect(await linkedTo(own.actor)).toEqual([]);
    expect(await identity.events('identity.user.provider_unlinked', own.user.id)).toHaveLength(1);
    expect((await identity.auditOf('provider.unlink')).at(-1)).toMatchObject({
      outcome: 'success',
      actor_id: own.user.id,
    });
    expect((await signIn(person)).user.id).not.toBe(own.user.id);
    expect(await unlinkRefusal(own.actor)).toBe('NOT_FOUND');
  });

  it('needs a fresh proof of who it is', async () => {
    const own = await identity.signUp();
    await link(own.actor, stranger());
    identity.clock.advance(10 * minute);
    expect(await unlinkRefusal(own.actor)).toBe('REAUTHENTICATION_REQUIRED');
  });

  it('is refused for the last way to sign in, which a provider that was taken away is not', async () => {
    const { actor, user } = await signIn(stranger());
    await identity.dataSource.query(
      `INSERT INTO linked_identities (issuer, subject, user_id, linked_at)
       VALUES ('https://gone.example', 'g1', $1, now())`,
      [user.id],
    );
    expect(await unlinkRefusal(actor)).toBe('WRONG_STATE');
    expect(await linkedTo(actor)).toEqual(['campus']);
  });

  it('leaves one of two, however they are unlinked', async () => {
    const { actor, user } = await signIn(stranger());
    await identity.dataSource.query(
      `INSERT INTO linked_identities (issuer, subject, user_id, linked_at) VALUES ($1, 'r9', $2, now())`,
      [rogue.issuer, user.id],
    );
    const outcomes = await Promise.allSettled(
      ['campus', 'rogue'].map((provider) =>
        identity.request(Providers.unlink, actor, { provider, device: laptop }),
      ),
    );
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await linkedTo(actor)).toHaveLength(1);
  });
});

describe('an account that a provider opened', () => {
  it('cannot be entered with any password, and goes with what was linked', async () => {
    const person = stranger();
    const { actor, user } = await signIn(person);
    const guess = await identity.failure(Auth.login, undefined, {
      email: user.email,
      password: 'gondel wiese rabe',
      device: laptop,
    });
    expect(guess.code).toBe('INVALID_CREDENTIALS');
    expect((await identity.request(Users.me, actor, {})).email).toBe(person.email);
    await identity.dataSource.query('DELETE FROM users WHERE id = $1', [user.id]);
    const rows = await identity.dataSource.query<unknown[]>(
      'SELECT FROM linked_identities WHERE user_id = $1',
      [user.id],
    );
    expect(rows).toEqual([]);
  });
});

describe('visits', () => {
  it('are limited for each network', async () => {
    const device = { user_agent: 'Flood', ip: '192.0.2.99' };
    for (let n = 0; n < 60; n++) await start('rogue', device);
    const failure = await identity.failure(Providers.start, undefined, {
      provider: 'rogue',
      device,
    });
    expect(failure).toMatchObject({ code: 'RATE_LIMITED', retryAfterSeconds: 900 });
    await start('rogue');
  });
});
