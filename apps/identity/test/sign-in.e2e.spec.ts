import {
  ApplicationError,
  Auth,
  Keys,
  type Problem,
  type RevokedSession,
  Sessions,
  sessionRevokedSignal,
  SocketTickets,
  type UserView,
} from '@mentorhub/contracts';
import { eventually } from '@mentorhub/testing';
import { hash } from '@node-rs/argon2';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Housekeeping } from '../src/housekeeping/housekeeping.js';
import { Passwords } from '../src/passwords/passwords.js';
import { actorOf, goodPassword, IdentityFixture, laptop, phone } from './fixture.js';

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_sign_in');
});
afterAll(() => identity.stop());

const minute = 60_000;
const day = 86_400_000;

function refresh(refresh_token: string, device = laptop) {
  return identity.request(Auth.refresh, undefined, { refresh_token, device });
}

function refreshFailure(refresh_token: string) {
  return identity.failure(Auth.refresh, undefined, { refresh_token, device: laptop });
}

function loginFailure(email: string, password: string, ip = laptop.ip) {
  return identity.failure(Auth.login, undefined, {
    email,
    password,
    device: { user_agent: 'Guesser', ip },
  });
}

/** What some wrong passwords in a row are answered with. */
async function refusals(email: string, ip: string, count: number): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (let n = 0; n < count; n++) {
    problems.push((await loginFailure(email, 'guess guess', ip)).toProblem());
  }
  return problems;
}

async function revokedIds(): Promise<number[]> {
  const { sessions } = await identity.request(Sessions.revoked, undefined, {});
  return sessions.map(({ session_id }) => session_id);
}

describe('signing in', () => {
  it('answers a token pair, whose access token the published key verifies for 30 minutes', async () => {
    const user = await identity.register();
    const answer = await identity.signIn(user.email.toUpperCase());
    expect(answer).toMatchObject({ token_type: 'bearer', expires_in: 1800, user });
    expect(Buffer.from(answer.refresh_token, 'base64url')).toHaveLength(32);

    const { keys } = await identity.request(Keys.list, undefined, {});
    const { payload, protectedHeader } = await jwtVerify(
      answer.access_token,
      createLocalJWKSet({ keys: keys.map((key) => ({ ...key })) }),
      { currentDate: identity.clock.now() },
    );
    expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'at+jwt', kid: keys[0]?.kid });
    const issuedAt = identity.clock.now().getTime() / 1000;
    expect(payload).toEqual({
      iss: 'mentorhub',
      aud: 'mentorhub-api',
      sub: String(user.id),
      sid: answer.actor.session_id,
      roles: ['student'],
      iat: issuedAt,
      exp: issuedAt + 1800,
    });
  });

  it('fails alike for a wrong password and an unknown address', async () => {
    const user = await identity.register();
    const wrong = await loginFailure(user.email, 'not the password');
    const unknown = await loginFailure('nobody@example.com', 'not the password');
    expect(wrong.code).toBe('INVALID_CREDENTIALS');
    // No route resets a password.
    expect(wrong.detail).not.toMatch(/reset/);
    expect(unknown.toProblem()).toEqual(wrong.toProblem());
  });

  it('is refused to the deactivated', async () => {
    const { user, refresh_token } = await identity.signUp();
    await identity.dataSource.query('UPDATE users SET is_active = false WHERE id = $1', [user.id]);
    expect(await loginFailure(user.email, goodPassword)).toMatchObject({ code: 'FORBIDDEN' });
    expect(await refreshFailure(refresh_token)).toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
  });

  it('replaces a password hash of former costs', async () => {
    const user = await identity.register();
    const weak = await hash(goodPassword, { memoryCost: 19_456, timeCost: 2 });
    await identity.dataSource.query('UPDATE users SET password_hash = $2 WHERE id = $1', [
      user.id,
      weak,
    ]);
    await identity.signIn(user.email);
    const [row] = await identity.dataSource.query<{ password_hash: string }[]>(
      'SELECT password_hash FROM users WHERE id = $1',
      [user.id],
    );
    expect(row?.password_hash).toContain('m=47104,t=1,p=1');
    await identity.signIn(user.email);
  });
});

describe('signing in while the password changes', () => {
  it('opens no session that the change would have ended', async () => {
    const { email, id } = await identity.register();
    const change = identity.dataSource.createQueryRunner();
    await change.connect();
    await change.startTransaction();
    await change.query('UPDATE users SET password_hash = $2 WHERE id = $1', [
      id,
      await hash('quite another password'),
    ]);
    const signIn = loginFailure(email, goodPassword);
    const blocked = eventually('the sign-in to wait for the change', async () => {
      const [row] = await identity.dataSource.query<object[]>(
        `SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'`,
      );
      return row;
    });
    await Promise.race([blocked, signIn]);
    await change.commitTransaction();
    await change.release();
    expect(await signIn).toMatchObject({ code: 'INVALID_CREDENTIALS' });
    const sessions = await identity.dataSource.query<object[]>(
      'SELECT 1 FROM sessions WHERE user_id = $1',
      [id],
    );
    expect(sessions).toEqual([]);
  });

  it('of several at the same time renews the hash once, and lets all of them in', async () => {
    const { email, id } = await identity.register();
    await identity.dataSource.query('UPDATE users SET password_hash = $2 WHERE id = $1', [
      id,
      await hash(goodPassword, { memoryCost: 4096, timeCost: 1, parallelism: 1 }),
    ]);
    const signedIn = await Promise.all(Array.from({ length: 4 }, () => identity.signIn(email)));
    expect(new Set(signedIn.map(({ actor }) => actor.session_id)).size).toBe(4);
  });
});

describe('guessing passwords', () => {
  beforeAll(() => identity.addReplica());

  it('has to wait after 10 failures from one source, longer each time, also at another replica', async () => {
    const { email } = await identity.register();
    for (let n = 0; n < 10; n++) {
      expect((await loginFailure(email, 'guess guess')).code).toBe('INVALID_CREDENTIALS');
    }
    for (const minutes of [1, 2, 4, 8, 16, 32, 60, 60]) {
      expect(await loginFailure(email, goodPassword)).toMatchObject({
        code: 'RATE_LIMITED',
        retryAfterSeconds: minutes * 60,
      });
      identity.clock.advance(minutes * minute);
      expect((await loginFailure(email, 'guess guess')).code).toBe('INVALID_CREDENTIALS');
    }
    identity.clock.advance(60 * minute);
    await identity.signIn(email);
    expect((await loginFailure(email, 'guess guess')).code).toBe('INVALID_CREDENTIALS');
    expect((await loginFailure(email, 'guess guess')).code).toBe('INVALID_CREDENTIALS');
  });

  it('is not forgotten by waiting', async () => {
    const { email } = await identity.register();
    for (let n = 0; n < 10; n++) await loginFailure(email, 'guess guess', '192.0.2.65');
    identity.clock.advance(day);
    await loginFailure(email, 'guess guess', '192.0.2.65');
    expect(await loginFailure(email, goodPassword, '192.0.2.65')).toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterSeconds: 120,
    });
  });

  it('answers alike for known and unknown addresses, also when it has to wait', async () => {
    const { email } = await identity.register();
    const known = await refusals(email, '192.0.2.64', 12);
    expect(known.at(-1)?.code).toBe('RATE_LIMITED');
    expect(await refusals('stranger@example.com', '192.0.2.63', 12)).toEqual(known);
  });

  it('is not what an overload is: the attempt does not count', async () => {
    const { email } = await identity.register();
    const overload = new ApplicationError('OVERLOADED', 'Too many sign-ins.', {
      retryAfterSeconds: 2,
    });
    const overloaded = identity.replicas.map(({ app }) =>
      vi.spyOn(app.get(Passwords), 'matches').mockRejectedValue(overload),
    );
    for (let n = 0; n < 30; n++) {
      expect(await loginFailure(email, goodPassword, '192.0.2.62')).toMatchObject({
        code: 'OVERLOADED',
        retryAfterSeconds: 2,
      });
    }
    for (const spy of overloaded) spy.mockRestore();
    for (let n = 0; n < 10; n++) {
      const failure = await loginFailure(email, 'guess guess', '192.0.2.62');
      expect(failure.code).toBe('INVALID_CREDENTIALS');
    }
    identity.clock.advance(minute);
    await identity.signIn(email, { user_agent: 'Laptop', ip: '192.0.2.62' });
  });

  it('does not lock the owner out, who signs in from elsewhere', async () => {
    const { email } = await identity.register();
    for (let n = 0; n < 11; n++) await loginFailure(email, 'guess guess', '192.0.2.66');
    expect((await identity.signIn(email, phone)).user.email).toBe(email);
  });

  it('cannot be sped up by asking at the same time', async () => {
    const { email } = await identity.register();
    const failures = await Promise.all(
      Array.from({ length: 30 }, () => loginFailure(email, 'guess guess', '192.0.2.67')),
    );
    const codes = failures.map(({ code }) => code);
    expect(codes.filter((code) => code === 'INVALID_CREDENTIALS')).toHaveLength(10);
    expect(codes.filter((code) => code === 'RATE_LIMITED')).toHaveLength(20);
  });

  it('ends after 20 failures from one source, whatever the accounts, also at another replica', async () => {
    const source = '192.0.2.68';
    const { email } = await identity.register();
    for (let n = 0; n < 20; n++) {
      const failure = await loginFailure(`stranger${n}@example.com`, 'guess guess', source);
      expect(failure.code).toBe('INVALID_CREDENTIALS');
      // An account of one's own does not buy further guesses.
      if (n === 10) await identity.signIn(email, { user_agent: 'Guesser', ip: source });
    }
    expect(await loginFailure(email, goodPassword, source)).toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterSeconds: 900,
    });
    await identity.signIn(email);
    identity.clock.advance(15 * minute);
    await identity.signIn(email, { user_agent: 'Guesser', ip: source });
  });

  it('at many accounts at the same time cannot be sped up either', async () => {
    const failures = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        loginFailure(`nobody${n}@example.com`, 'guess guess', `2001:db8:7:7::${n}`),
      ),
    );
    const codes = failures.map(({ code }) => code);
    expect(codes.filter((code) => code === 'INVALID_CREDENTIALS')).toHaveLength(20);
    expect(codes.filter((code) => code === 'RATE_LIMITED')).toHaveLength(10);
  });

  it('does not lock out a network in which many sign in at the same time', async () => {
    const device = { user_agent: 'Office', ip: '198.51.100.69' };
    const people: UserView[] = [];
    while (people.length < 50) people.push(await identity.register());
    const arrivals = await Promise.allSettled(
      people.map(({ email }) => identity.signIn(email, device)),
    );
    const admitted = arrivals.filter(({ status }) => status === 'fulfilled');
    expect(admitted.length).toBeGreaterThanOrEqual(20);
    for (const { email } of people) await identity.signIn(email, device);
    // What failed counts as ever.
    for (let n = 0; n < 20; n++) {
      const failure = await loginFailure(`absent${n}@example.com`, 'guess guess', device.ip);
      expect(failure.code).toBe('INVALID_CREDENTIALS');
    }
    expect((await loginFailure(people[0]!.email, goodPassword, device.ip)).code).toBe(
      'RATE_LIMITED',
    );
  }, 30_000);

  it('ends after 100 failures from many sources, except where the owner has signed in before', async () => {
    const { user } = await identity.signUp({ user_agent: 'Phone', ip: '2001:db8:1:2::3' });
    for (let n = 0; n < 100; n += 10) {
      await Promise.all(
        Array.from({ length: 10 }, (_, m) =>
          loginFailure(user.email, 'guess guess', `192.0.2.${n + m}`),
        ),
      );
    }
    expect((await loginFailure(user.email, goodPassword, '203.0.113.200')).code).toBe(
      'RATE_LIMITED',
    );
    // The same network: the address of a device in it changes from day to day.
    const device = { user_agent: 'Phone', ip: '2001:db8:1:2:a:b:c:d' };
    expect((await identity.signIn(user.email, device)).user.id).toBe(user.id);
  }, 30_000);

  it('is forgotten with a right password', async () => {
    const { email } = await identity.register();
    for (let n = 0; n < 9; n++) await loginFailure(email, 'guess guess');
    await identity.signIn(email);
    expect((await loginFailure(email, 'guess guess')).code).toBe('INVALID_CREDENTIALS');
    await identity.signIn(email);
  });
});

describe('refreshing', () => {
  it('gives a new pair of the same session', async () => {
    const first = await identity.signUp();
    const second = await refresh(first.refresh_token, { ...laptop, user_agent: 'Laptop, updated' });
    expect(second).toMatchObject({ token_type: 'bearer', expires_in: 1800 });
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(actorOf(second.access_token)).toEqual(first.actor);
    const { items } = await identity.request(Sessions.list, first.actor, {});
    expect(items).toMatchObject([{ user_agent: 'Laptop, updated' }]);
  });

  it('gives 8 requests at once the same pair, and the session lives on in one line', async () => {
    const { refresh_token } = await identity.signUp();
    const pairs = await Promise.all(Array.from({ length: 8 }, () => refresh(refresh_token)));
    for (const pair of pairs) expect(pair).toEqual(pairs[0]);
    const next = await refresh(pairs[0]!.refresh_token);
    expect(next.refresh_token).not.toBe(pairs[0]!.refresh_token);
  });

  it('gives a client that lost the answer the same pair for 10 seconds', async () => {
    const { refresh_token } = await identity.signUp();
    const pair = await refresh(refresh_token);
    identity.clock.advance(10_000);
    expect(await refresh(refresh_token)).toEqual(Object.assign({}, pair, { expires_in: 1790 }));
    await refresh(pair.refresh_token);
  });

  it('leads a late tab to the newest token when the pair was refreshed again meanwhile', async () => {
    const { refresh_token } = await identity.signUp();
    const second = await refresh(refresh_token);
    const third = await refresh(second.refresh_token);
    expect(await refresh(refresh_token)).toEqual(third);
  });

  it('does not repeat the pair of a session that has ended', async () => {
    const { refresh_token, actor } = await identity.signUp();
    await refresh(refresh_token);
    await identity.request(Auth.logout, actor, { device: laptop });
    expect(await refreshFailure(refresh_token)).toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
  });

  it('with a token used before ends the session, on the gateways too', async () => {
    const first = await identity.signUp();
    const second = await refresh(first.refresh_token);
    const received = vi.fn<(session: RevokedSession) => void>();
    const subscription = identity.signals.subscribe(sessionRevokedSignal, received);
    await identity.request(Keys.list, undefined, {});
    identity.clock.advance(11_000);

    expect(await refreshFailure(first.refresh_token)).toMatchObject({
      code: 'INVALID_REFRESH_TOKEN',
    });
    expect(await refreshFailure(second.refresh_token)).toMatchObject({
      code: 'INVALID_REFRESH_TOKEN',
    });
    const revoked = { session_id: first.actor.session_id, forget_at: expect.any(Number) };
    await expect.poll(() => received.mock.calls.map(([data]) => data)).toContainEqual(revoked);
    expect(await revokedIds()).toContain(first.actor.session_id);
    expect(await identity.events('identity.session.revoked', first.actor.session_id)).toEqual([
      { ...revoked, user_id: first.user.id },
    ]);
    subscription.unsubscribe();
  });

  it('is too late 30 days after the last time', async () => {
    const first = await identity.signUp();
    identity.clock.advance(30 * day - 1000);
    const second = await refresh(first.refresh_token);
    identity.clock.advance(30 * day);
    expect(await refreshFailure(second.refresh_token)).toMatchObject({
      code: 'INVALID_REFRESH_TOKEN',
    });
  });

  it('ends 90 days after signing in, however often it was done', async () => {
    const session = await identity.signUp();
    let token = session.refresh_token;
    for (let n = 0; n < 3; n++) {
      identity.clock.advance(29 * day);
      ({ refresh_token: token } = await refresh(token));
    }
    identity.clock.advance(3 * day - 1000);
    ({ refresh_token: token } = await refresh(token));
    identity.clock.advance(1000);
    expect(await refreshFailure(token)).toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
  });

  it('refuses what was never issued', async () => {
    expect(await refreshFailure('made-up')).toMatchObject({ code: 'INVALID_REFRESH_TOKEN' });
  });

  it('stores no token in clear', async () => {
    const first = await identity.signUp();
    const second = await refresh(first.refresh_token);
    const rows = await identity.dataSource.query<{ row: string }[]>(
      `SELECT token_hash::text || ' ' || coalesce(successor::text, '') AS row FROM refresh_tokens`,
    );
    const stored = rows.map(({ row }) => row).join(' ');
    for (const token of [first.refresh_token, second.refresh_token]) {
      expect(stored).not.toContain(Buffer.from(token).toString('hex'));
      expect(stored).not.toContain(Buffer.from(token, 'base64url').toString('hex'));
    }
  });
});

describe('signing out', () => {
  it('ends this device, at once and everywhere, and leaves the others', async () => {
    const one = await identity.signUp(laptop);
    const two = await identity.signIn(one.user.email, phone);
    const received = vi.fn<(session: RevokedSession) => void>();
    const subscription = identity.signals.subscribe(sessionRevokedSignal, received);
    await identity.request(Keys.list, undefined, {});

    await identity.request(Auth.logout, one.actor, { device: laptop });
    await expect.poll(() => received.mock.calls.length).toBe(1);
    expect(received.mock.calls[0]?.[0]).toMatchObject({ session_id: one.actor.session_id });
    expect(await revokedIds()).toContain(one.actor.session_id);
    expect(await refreshFailure(one.refresh_token)).toMatchObject({
      code: 'INVALID_REFRESH_TOKEN',
    });
    await refresh(two.refresh_token);
    subscription.unsubscribe();
  });

  it('twice does no harm', async () => {
    const { actor } = await identity.signUp();
    await identity.request(Auth.logout, actor, { device: laptop });
    await identity.request(Auth.logout, actor, { device: laptop });
    expect(await identity.events('identity.session.revoked', actor.session_id)).toHaveLength(1);
  });

  it('of all devices ends all of them', async () => {
    const one = await identity.signUp(laptop);
    const two = await identity.signIn(one.user.email, phone);
    await identity.request(Auth.logoutAll, one.actor, { device: laptop });
    expect(await revokedIds()).toEqual(
      expect.arrayContaining([one.actor.session_id, two.actor.session_id]),
    );
    expect(await refreshFailure(two.refresh_token)).toMatchObject({
      code: 'INVALID_REFRESH_TOKEN',
    });
  });

  it('is remembered only until the access tokens would have expired', async () => {
    const { actor } = await identity.signUp();
    await identity.request(Auth.logout, actor, { device: laptop });
    expect(await revokedIds()).toContain(actor.session_id);
    identity.clock.advance(30 * minute);
    expect(await revokedIds()).not.toContain(actor.session_id);
  });
});

describe('signed-in devices', () => {
  it('are listed for their owner, the last used first', async () => {
    const one = await identity.signUp(laptop);
    identity.clock.advance(minute);
    const two = await identity.signIn(one.user.email, phone);
    const { items } = await identity.request(Sessions.list, one.actor, {});
    expect(items).toMatchObject([
      { id: two.actor.session_id, user_agent: 'Phone', ip: phone.ip, current: false },
      { id: one.actor.session_id, user_agent: 'Laptop', ip: laptop.ip, current: true },
    ]);
    expect(items[0]?.created_at).toBe(identity.clock.now().toISOString());
  });

  it('can be signed out one by one', async () => {
    const one = await identity.signUp(laptop);
    const two = await identity.signIn(one.user.email, phone);
    await identity.request(Sessions.revoke, one.actor, {
      id: two.actor.session_id,
      device: laptop,
    });
    const { items } = await identity.request(Sessions.list, one.actor, {});
    expect(items.map(({ id }) => id)).toEqual([one.actor.session_id]);
    expect(await revokedIds()).toContain(two.actor.session_id);
  });

  it('of others look as if they did not exist', async () => {
    const mine = await identity.signUp();
    const theirs = await identity.signUp();
    const foreign = await identity.failure(Sessions.revoke, mine.actor, {
      id: theirs.actor.session_id,
      device: laptop,
    });
    const unknown = await identity.failure(Sessions.revoke, mine.actor, {
      id: 999_999,
      device: laptop,
    });
    expect(foreign.code).toBe('NOT_FOUND');
    expect(foreign.toProblem()).toEqual(unknown.toProblem());
    await refresh(theirs.refresh_token);
  });
});

describe('a WebSocket ticket', () => {
  it('stands for its owner exactly once', async () => {
    const { actor } = await identity.signUp();
    const { ticket, expires_in } = await identity.request(SocketTickets.issue, actor, {});
    expect(expires_in).toBe(30);
    const tries = await Promise.allSettled(
      Array.from({ length: 5 }, () =>
        identity.request(SocketTickets.redeem, undefined, { ticket }),
      ),
    );
    expect(tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))).toEqual([
      {
        caller: actor,
        session_expires_at: (identity.clock.now().getTime() + 30 * day) / 1000,
      },
    ]);
    expect(await identity.failure(SocketTickets.redeem, undefined, { ticket })).toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  it('expires after 30 seconds', async () => {
    const { actor } = await identity.signUp();
    const { ticket } = await identity.request(SocketTickets.issue, actor, {});
    identity.clock.advance(30_000);
    expect(await identity.failure(SocketTickets.redeem, undefined, { ticket })).toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  it('is void after the 30 days of its session', async () => {
    const { actor } = await identity.signUp();
    identity.clock.advance(30 * day - 1000);
    const { ticket } = await identity.request(SocketTickets.issue, actor, {});
    identity.clock.advance(1000);
    expect(await identity.failure(SocketTickets.redeem, undefined, { ticket })).toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  it('is void once its session has ended', async () => {
    const { actor } = await identity.signUp();
    const { ticket } = await identity.request(SocketTickets.issue, actor, {});
    await identity.request(Auth.logout, actor, { device: laptop });
    expect(await identity.failure(SocketTickets.redeem, undefined, { ticket })).toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });
});

describe('what has expired', () => {
  it('is deleted, and what is alive stays', async () => {
    await identity.signUp();
    identity.clock.advance(40 * day);
    const alive = await identity.signUp();
    await identity.replicas[0]!.app.get(Housekeeping).sweep();
    const sessions = await identity.dataSource.query<{ id: number }[]>('SELECT id FROM sessions');
    expect(sessions).toEqual([{ id: alive.actor.session_id }]);
    await refresh(alive.refresh_token);
  });
});
