import {
  Auth,
  type Device,
  type RevokedSession,
  Sessions,
  sessionRevokedSignal,
} from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Housekeeping } from '../src/housekeeping/housekeeping.js';
import { goodPassword, IdentityFixture, laptop, phone } from './fixture.js';

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_devices', { SESSIONS_PER_USER: '5' });
  await identity.addReplica();
});
afterAll(() => identity.stop());

const day = 86_400_000;
const home = '203.0.113.7';
const firefox = (version: number, ip = home): Device => ({
  user_agent: `Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:${version}.0) Gecko/20100101 Firefox/${version}.0`,
  ip,
});
const iphone: Device = {
  user_agent:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
  ip: '2001:db8:1:2::9',
};

function refresh(refresh_token: string, device = laptop) {
  return identity.request(Auth.refresh, undefined, { refresh_token, device });
}

function newDevices(userId: number) {
  return identity.events('identity.user.signed_in_from_new_device', userId);
}

function reuses(userId: number) {
  return identity.events('identity.user.refresh_token_reused', userId);
}

describe('the signed-in devices', () => {
  it('are told apart by what their user agents say, which stays as it was sent', async () => {
    const one = await identity.signUp(firefox(140));
    await identity.signIn(one.user.email, iphone);
    await identity.signIn(one.user.email, { user_agent: '', ip: home });
    const { items } = await identity.request(Sessions.list, one.actor, {});
    const seen = items.map(({ browser, os, device, user_agent }) => [
      browser,
      os,
      device,
      user_agent,
    ]);
    expect(seen).toEqual([
      [null, null, null, ''],
      ['Safari 18', 'iOS', 'mobile', iphone.user_agent],
      ['Firefox 140', 'Windows', 'desktop', firefox(140).user_agent],
    ]);
  });

  it('come in pages', async () => {
    const one = await identity.signUp();
    for (let n = 0; n < 4; n++) await identity.signIn(one.user.email);
    const page = (number: number) =>
      identity.request(Sessions.list, one.actor, { page: number, limit: 2 });
    expect(await page(1)).toMatchObject({ total: 5, page: 1, pages: 3 });
    const last = await page(3);
    expect(last.items.map(({ id }) => id)).toEqual([one.actor.session_id]);
    expect(last.items[0]?.current).toBe(true);
    expect((await page(4)).items).toEqual([]);
  });

  it('can all be signed out but one’s own', async () => {
    const one = await identity.signUp();
    const others = [await identity.signIn(one.user.email), await identity.signIn(one.user.email)];
    const stranger = await identity.signUp();
    await identity.request(Sessions.revokeOthers, one.actor, { device: laptop });
    const { items } = await identity.request(Sessions.list, one.actor, {});
    expect(items.map(({ id }) => id)).toEqual([one.actor.session_id]);
    for (const { refresh_token } of others) {
      const failure = await identity.failure(Auth.refresh, undefined, {
        refresh_token,
        device: laptop,
      });
      expect(failure.code).toBe('INVALID_REFRESH_TOKEN');
    }
    await refresh(one.refresh_token);
    await refresh(stranger.refresh_token);
    expect(await identity.auditOf('session.end_others')).toMatchObject([
      { outcome: 'success', actor_id: one.user.id, session_id: one.actor.session_id },
    ]);
    await identity.request(Sessions.revokeOthers, one.actor, { device: laptop });
    expect(await identity.auditOf('session.end_others')).toHaveLength(1);
  });

  it('are at most as many as the operator allows: the least used one is signed out', async () => {
    const { user, actor, refresh_token } = await identity.signUp();
    const second = await identity.signIn(user.email);
    identity.clock.advance(1000);
    // Using the oldest makes the second the least used.
    const { refresh_token: token } = await refresh(refresh_token);
    const received = vi.fn<(session: RevokedSession) => void>();
    const subscription = identity.signals.subscribe(sessionRevokedSignal, received);
    for (let n = 0; n < 4; n++) await identity.signIn(user.email);
    const { items, total } = await identity.request(Sessions.list, actor, {});
    expect(total).toBe(5);
    expect(items.map(({ id }) => id)).not.toContain(second.actor.session_id);
    await expect
      .poll(() => received.mock.calls.map(([{ session_id }]) => session_id))
      .toEqual([second.actor.session_id]);
    subscription.unsubscribe();
    expect(await identity.auditOf('session.end_oldest')).toMatchObject([
      { user_id: user.id, session_id: second.actor.session_id, actor_id: null },
    ]);
    await refresh(token);
  });

  it('are no more when many sign in at the same time', async () => {
    const user = await identity.register();
    const signedIn = await Promise.all(
      Array.from({ length: 8 }, () => identity.signIn(user.email)),
    );
    const lists = await Promise.all(
      signedIn.map(({ actor }) => identity.request(Sessions.list, actor, {})),
    );
    expect(lists.map(({ total }) => total)).toEqual(lists.map(() => 5));
  }, 20_000);
});

describe('a sign-in from a new device', () => {
  it('is news for its user, but not the first one', async () => {
    const { user } = await identity.signUp(firefox(140));
    expect(await newDevices(user.id)).toEqual([]);
    const { actor } = await identity.signIn(user.email, iphone);
    expect(await newDevices(user.id)).toEqual([
      {
        user_id: user.id,
        session_id: actor.session_id,
        browser: 'Safari 18',
        os: 'iOS',
        network: '2001:db8:1::/48',
      },
    ]);
  });

  it('is none from a known browser, updated or with another address in its network', async () => {
    const { user } = await identity.signUp(firefox(140));
    await identity.signIn(user.email, firefox(141, '203.0.113.99'));
    expect(await newDevices(user.id)).toEqual([]);
    await identity.signIn(user.email, firefox(141, '198.51.100.9'));
    expect(await newDevices(user.id)).toHaveLength(1);
    await identity.signIn(user.email, firefox(142, '198.51.100.10'));
    expect(await newDevices(user.id)).toHaveLength(1);
  });

  it('is news once, however many begin at the same time', async () => {
    const { user } = await identity.signUp(firefox(140));
    await Promise.all(Array.from({ length: 5 }, () => identity.signIn(user.email, iphone)));
    expect(await newDevices(user.id)).toHaveLength(1);
  });

  it('is none when the password was wrong', async () => {
    const { user } = await identity.signUp(firefox(140));
    await identity.failure(Auth.login, undefined, {
      email: user.email,
      password: 'not the password',
      device: iphone,
    });
    expect(await newDevices(user.id)).toEqual([]);
  });

  it('says nothing of the device in the database but a hash, which is forgotten after a year', async () => {
    const { user } = await identity.signUp(iphone);
    const rows = await identity.dataSource.query<{ row: string }[]>(
      'SELECT known_devices::text AS row FROM known_devices WHERE user_id = $1',
      [user.id],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.row).not.toMatch(/2001|iPhone|Safari/);
    identity.clock.advance(366 * day);
    await identity.replicas[0]!.app.get(Housekeeping).sweep();
    const left = await identity.dataSource.query('SELECT FROM known_devices');
    expect(left).toEqual([]);
  });
});

describe('a refresh token that is used again', () => {
  it('is reported to its user and in the audit trail, once', async () => {
    const { user, actor, refresh_token } = await identity.signUp(firefox(140));
    await refresh(refresh_token, firefox(140));
    identity.clock.advance(11_000);
    for (let n = 0; n < 2; n++) {
      await identity.failure(Auth.refresh, undefined, { refresh_token, device: phone });
    }
    expect(await reuses(user.id)).toEqual([
      {
        user_id: user.id,
        session_id: actor.session_id,
        browser: 'Firefox 140',
        os: 'Windows',
        network: '203.0.113.0/24',
      },
    ]);
    const entries = await identity.auditOf('session.refresh_reuse');
    expect(entries.filter(({ user_id }) => user_id === user.id)).toMatchObject([
      { outcome: 'failure', actor_id: null, session_id: actor.session_id, ip: phone.ip },
    ]);
  });

  it('is no theft once its session has expired', async () => {
    const { user, refresh_token } = await identity.signUp();
    await refresh(refresh_token);
    identity.clock.advance(30 * day);
    const failure = await identity.failure(Auth.refresh, undefined, {
      refresh_token,
      device: laptop,
    });
    expect(failure.code).toBe('INVALID_REFRESH_TOKEN');
    expect(await reuses(user.id)).toEqual([]);
  });
});

describe('refreshes at the same time on two replicas', () => {
  it('get the same successor in each of 100 rounds, and the session stays one line of tokens', async () => {
    const { actor, refresh_token } = await identity.signIn(
      (await identity.register({ password: goodPassword })).email,
    );
    let token = refresh_token;
    for (let round = 0; round < 100; round++) {
      const current = token;
      const pairs = await Promise.all(
        Array.from({ length: 2 + (round % 2) }, () => refresh(current)),
      );
      expect(new Set(pairs.map((pair) => JSON.stringify(pair))).size).toBe(1);
      token = pairs[0]!.refresh_token;
      expect(token).not.toBe(current);
      identity.clock.advance(1000);
    }
    const [line] = await identity.dataSource.query<{ tokens: number; unused: number }[]>(
      `SELECT count(*)::int AS tokens, count(*) FILTER (WHERE used_at IS NULL)::int AS unused
       FROM refresh_tokens WHERE session_id = $1`,
      [actor.session_id],
    );
    expect(line).toEqual({ tokens: 101, unused: 1 });
    const handled = identity.replicas.length;
    expect(handled).toBe(2);
    await refresh(token);
  }, 60_000);
});
