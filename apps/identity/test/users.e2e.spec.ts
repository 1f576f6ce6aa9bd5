import { mentorApproved, Users } from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goodPassword, IdentityFixture, laptop } from './fixture.js';

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_users');
});
afterAll(() => identity.stop());

describe('registering', () => {
  it('opens an account and publishes it, asking for the verification mail', async () => {
    const user = await identity.register({
      email: 'Grace.Hopper@Example.com',
      full_name: 'Grace Hopper',
      role: 'mentor',
      timezone: 'America/New_York',
      locale: 'ru',
    });
    expect(user).toEqual({
      id: expect.any(Number),
      email: 'grace.hopper@example.com',
      username: 'grace.hopper',
      full_name: 'Grace Hopper',
      role: 'mentor',
      email_verified: false,
      created_at: '2026-11-25T12:00:00.000Z',
    });
    expect(await identity.events('identity.user.registered', user.id)).toEqual([
      {
        user_id: user.id,
        username: 'grace.hopper',
        full_name: 'Grace Hopper',
        avatar_url: null,
        email_verified: false,
        role: 'mentor',
        locale: 'ru',
        timezone: 'America/New_York',
      },
    ]);
    expect(await identity.events('identity.user.mail_requested', user.id)).toEqual([
      { user_id: user.id, mail: 'verify_email', ref: null },
    ]);
  });

  it('refuses an address that has an account, whatever its spelling', async () => {
    await identity.register({ email: 'taken@example.com' });
    const failure = await identity.failure(Users.register, undefined, {
      email: 'TAKEN@example.com',
      password: goodPassword,
      full_name: 'Somebody Else',
      role: 'student',
      device: laptop,
    });
    expect(failure).toMatchObject({ code: 'EMAIL_TAKEN', errors: [{ field: 'email' }] });
    // No route resets a password.
    expect(failure.detail).not.toMatch(/reset/);
  });

  it('has one winner when an address registers 8 times at once', async () => {
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, () => identity.register({ email: 'race@example.com' })),
    );
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(tries.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []))).toEqual(
      Array(7).fill('EMAIL_TAKEN'),
    );
  });

  it.each([
    'root',
    'Admin',
    'ADM1N',
    '4dmin',
    'adrnin',
    'sup.port',
    'moderator-7',
    'the.mentor_hub',
  ])('refuses the reserved username %s', async (username) => {
    const failure = await identity
      .register({ username: username.toLowerCase() })
      .catch((error) => error);
    expect(failure).toMatchObject({ code: 'USERNAME_TAKEN', errors: [{ field: 'username' }] });
  });

  it('makes no reserved username from a name either', async () => {
    expect((await identity.register({ full_name: 'Support' })).username).toMatch(/^user\d*$/);
    expect((await identity.register({ full_name: 'Mentor Hub' })).username).toMatch(/^user\d*$/);
  });

  it('is limited by the hour for a network, at all replicas together', async () => {
    const limited = await IdentityFixture.start('identity_registrations', {
      REGISTRATIONS_PER_HOUR: '4',
    });
    await limited.addReplica();
    const device = { user_agent: 'Bot', ip: '2001:db8:5:5::1' };
    for (let n = 0; n < 4; n++) await limited.register({}, device);
    const neighbour = { user_agent: 'Bot', ip: '2001:db8:5:5:6:7:8:9' };
    expect(await limited.register({}, neighbour).catch((error) => error)).toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterSeconds: 3600,
    });
    await limited.register({}, laptop);
    limited.clock.advance(3_600_000);
    await limited.register({}, device);
    await limited.stop();
  });

  it('takes the database from nobody who signs in, and counts no registration that is turned away', async () => {
    const device = { user_agent: 'Bot', ip: '192.0.2.77' };
    const counter = `SELECT count FROM network_counters WHERE kind = 'registration' AND source = '192.0.2.77'`;
    const { email } = await identity.register({}, device);
    const holder = identity.dataSource.createQueryRunner();
    await holder.startTransaction();
    await holder.query(`${counter} FOR UPDATE`);
    const flood = Promise.allSettled(
      Array.from({ length: 40 }, () => identity.register({}, device)),
    );
    try {
      expect((await identity.signIn(email)).user.email).toBe(email);
    } finally {
      await holder.rollbackTransaction();
      await holder.release();
    }
    const refusals = (await flood).flatMap((one) =>
      one.status === 'rejected' ? [one.reason as { code: string }] : [],
    );
    // On a slow machine some of those in the queue pass their deadline.
    expect(refusals.filter(({ code }) => code === 'OVERLOADED')).toHaveLength(40 - 31);
    expect(await identity.dataSource.query(counter)).toEqual([{ count: 1 + 40 - refusals.length }]);
  }, 15_000);

  it('finds another username when the one made from the name is taken', async () => {
    const first = await identity.register({ full_name: 'Мария Иванова' });
    const others = await Promise.all(
      Array.from({ length: 4 }, () => identity.register({ full_name: 'Мария Иванова' })),
    );
    expect(first.username).toBe('mariya.ivanova');
    for (const { username } of others) expect(username).toMatch(/^mariya\.ivanova\d+$/);
  });

  it('refuses a chosen username that is taken', async () => {
    await identity.register({ username: 'the-one' });
    const failure = await identity.register({ username: 'the-one' }).catch((error) => error);
    expect(failure).toMatchObject({ code: 'USERNAME_TAKEN', errors: [{ field: 'username' }] });
  });

  it('refuses a common password and says why', async () => {
    const failure = await identity.register({ password: 'Iloveyou' }).catch((error) => error);
    expect(failure).toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ field: 'password', message: expect.stringContaining('most common') }],
    });
  });

  it('publishes nothing of an account that was not opened', async () => {
    const before = await identity.events('identity.user.registered');
    await identity.failure(Users.register, undefined, {
      email: 'taken@example.com',
      password: goodPassword,
      full_name: 'Somebody Else',
      role: 'student',
      device: laptop,
    });
    expect(await identity.events('identity.user.registered')).toEqual(before);
  });
});

describe("a user's profile", () => {
  it('shows everything to its owner', async () => {
    const { actor, user } = await identity.signUp();
    expect(await identity.request(Users.me, actor, {})).toEqual({
      id: user.id,
      email: user.email,
      username: user.username,
      full_name: user.full_name,
      role: 'student',
      email_verified: false,
      created_at: user.created_at,
      bio: null,
      phone: null,
      avatar_url: null,
      timezone: 'UTC',
      locale: 'en',
      is_mentor: false,
      is_mentee: true,
      is_premium: false,
    });
  });

  it('takes the changes that are given, keeps the rest and publishes them', async () => {
    const { actor, user } = await identity.signUp();
    const changed = await identity.request(Users.updateMe, actor, {
      full_name: 'Ada King',
      bio: 'Engines.',
      timezone: 'Europe/London',
    });
    expect(changed).toMatchObject({
      full_name: 'Ada King',
      bio: 'Engines.',
      timezone: 'Europe/London',
      username: user.username,
    });
    expect(await identity.request(Users.me, actor, {})).toEqual(changed);
    expect(await identity.events('identity.user.updated', user.id)).toEqual([
      {
        user_id: user.id,
        username: user.username,
        full_name: 'Ada King',
        avatar_url: null,
        email_verified: false,
        locale: 'en',
        timezone: 'Europe/London',
      },
    ]);
  });

  it('cannot take a reserved username', async () => {
    const { actor } = await identity.signUp();
    expect(await identity.failure(Users.updateMe, actor, { username: 'r00t' })).toMatchObject({
      code: 'USERNAME_TAKEN',
    });
  });

  it('cannot take the username of somebody else', async () => {
    await identity.register({ username: 'somebody' });
    const { actor } = await identity.signUp();
    expect(await identity.failure(Users.updateMe, actor, { username: 'somebody' })).toMatchObject({
      code: 'USERNAME_TAKEN',
    });
  });

  it('shows others a card without address and phone', async () => {
    const { actor } = await identity.signUp();
    const other = await identity.register({ full_name: 'Alan Turing', role: 'mentor' });
    expect(await identity.request(Users.card, actor, { id: other.id })).toEqual({
      id: other.id,
      username: other.username,
      full_name: 'Alan Turing',
      avatar_url: null,
      bio: null,
      role: 'student',
    });
    expect(await identity.failure(Users.card, actor, { id: 999_999 })).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('becomes that of a mentor when mentorship approves', async () => {
    const { actor, user } = await identity.signUp();
    const { app } = identity.replicas[0]!;
    await app
      .get(Transactions)
      .run((tx) => app.get(Outbox).add(tx, mentorApproved, 7, { mentor_id: 7, user_id: user.id }));
    await expect
      .poll(() => identity.request(Users.me, actor, {}), { timeout: 10_000 })
      .toMatchObject({ is_mentor: true, role: 'mentor' });
    const again = await identity.signIn(user.email);
    expect(again.actor.roles).toEqual(['student', 'mentor']);
  });
});

describe('what other services may ask', () => {
  it('is who some users are; unknown ids are left out', async () => {
    const one = await identity.register();
    const two = await identity.register();
    const { people } = await identity.request(Users.people, undefined, {
      ids: [two.id, 999_999, one.id],
    });
    expect(people.map(({ user_id }) => user_id)).toEqual([one.id, two.id]);
    expect(people[0]).toEqual({
      user_id: one.id,
      username: one.username,
      full_name: one.full_name,
      avatar_url: null,
      email_verified: false,
    });
  });

  it('is of at most 200 users at once', async () => {
    const ids = Array.from({ length: 201 }, (_, n) => n + 1);
    expect(await identity.failure(Users.people, undefined, { ids })).toMatchObject({
      code: 'VALIDATION_FAILED',
    });
  });

  it('is how to reach a user', async () => {
    const user = await identity.register({ locale: 'ru', timezone: 'Europe/Moscow' });
    expect(await identity.request(Users.contact, undefined, { user_id: user.id })).toEqual({
      user_id: user.id,
      email: user.email,
      full_name: user.full_name,
      locale: 'ru',
      timezone: 'Europe/Moscow',
      email_verified: false,
    });
    expect(await identity.failure(Users.contact, undefined, { user_id: 999_999 })).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('is a zone to compute with, whatever an older version has stored', async () => {
    const { user, actor } = await identity.signUp();
    await identity.dataSource.query(`UPDATE users SET timezone = 'PST' WHERE id = $1`, [user.id]);
    const zone = { timezone: 'America/Los_Angeles' };
    expect(await identity.request(Users.contact, undefined, { user_id: user.id })).toMatchObject(
      zone,
    );
    expect(await identity.request(Users.me, actor, {})).toMatchObject(zone);
  });
});
