import { Auth, Keys, Users } from '@mentorhub/contracts';
import { decodeProtectedHeader } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import { seedPeople } from '../src/demo-data/seed-people.js';
import { demoPassword, demoPeople } from '../src/demo-data/people.js';
import { actorOf, IdentityFixture, laptop } from './fixture.js';

let identity: IdentityFixture;
afterEach(() => identity.stop());

const minute = 60_000;
const day = 86_400_000;

function login(email: string, password: string) {
  return identity.request(Auth.login, undefined, { email, password, device: laptop });
}

describe('signing keys', () => {
  it('are made once, however many replicas start, and are stored encrypted', async () => {
    identity = await IdentityFixture.start('identity_keys');
    await Promise.all([identity.addReplica(), identity.addReplica()]);
    const { keys } = await identity.request(Keys.list, undefined, {});
    expect(keys).toEqual([
      {
        kid: expect.any(String),
        kty: 'RSA',
        alg: 'RS256',
        use: 'sig',
        n: expect.any(String),
        e: 'AQAB',
      },
    ]);
    const [row] = await identity.dataSource.query<{ private_key: Buffer }[]>(
      'SELECT private_key FROM signing_keys',
    );
    expect(row?.private_key.toString('latin1')).not.toContain('PRIVATE KEY');
  });

  it('are published before they sign, and until their tokens have expired', async () => {
    identity = await IdentityFixture.start('identity_rotation');
    const { user, actor, access_token } = await identity.signUp();
    await identity.verify({ actor });
    const published = async () =>
      (await identity.request(Keys.list, undefined, {})).keys.map(({ kid }) => kid);
    const signer = async () =>
      decodeProtectedHeader((await identity.signIn(user.email)).access_token).kid;
    const first = decodeProtectedHeader(access_token).kid;
    expect(await published()).toEqual([first]);

    identity.clock.advance(90 * day - 15 * minute);
    expect(await signer()).toBe(first);
    const [second, ...older] = await published();
    expect(second).not.toBe(first);
    expect(older).toEqual([first]);

    identity.clock.advance(15 * minute - 1);
    expect(await signer()).toBe(first);
    identity.clock.advance(1);
    expect(await signer()).toBe(second);
    expect(await published()).toEqual([second, first]);

    identity.clock.advance(60 * minute);
    expect(await published()).toEqual([second]);
  });

  it('are published for 15 minutes first also when nobody signed in at the time of the rotation', async () => {
    identity = await IdentityFixture.start('identity_late_rotation');
    const { user, actor } = await identity.signUp();
    await identity.verify({ actor });
    identity.clock.advance(200 * day);
    const old = decodeProtectedHeader((await identity.signIn(user.email)).access_token).kid;
    const { keys } = await identity.request(Keys.list, undefined, {});
    expect(keys.map(({ kid }) => kid)).toEqual([expect.not.stringMatching(old!), old]);
  });

  it('are made by one of several replicas when the time has come', async () => {
    identity = await IdentityFixture.start('identity_rotation_race');
    await identity.addReplica();
    const { user, actor } = await identity.signUp();
    await identity.verify({ actor });
    identity.clock.advance(90 * day);
    await Promise.all(Array.from({ length: 6 }, () => identity.signIn(user.email)));
    expect((await identity.request(Keys.list, undefined, {})).keys).toHaveLength(2);
  });

  it('do not open with another SECRET_KEY, which ends the start with the remedy', async () => {
    identity = await IdentityFixture.start('identity_secret');
    await expect(
      identity.addReplica({ SECRET_KEY: 'quite another secret key, 32 characters' }),
    ).rejects.toThrow(/set the SECRET_KEY it was made with/);
  });

  it('give way to new ones under another SECRET_KEY once they are superseded, and nobody is signed out', async () => {
    identity = await IdentityFixture.start('identity_new_secret');
    const { access_token, refresh_token } = await identity.signUp();
    const first = decodeProtectedHeader(access_token).kid;
    await identity.dataSource.query(
      'UPDATE signing_keys SET superseded_at = $1 WHERE superseded_at IS NULL OR superseded_at > $1',
      [identity.clock.now()],
    );
    identity.clock.advance(1);
    await identity.addReplica({ SECRET_KEY: 'quite another secret key, 32 characters' });
    await identity.replicas[0]!.close();

    const renewed = await identity.request(Auth.refresh, undefined, {
      refresh_token,
      device: laptop,
    });
    const second = decodeProtectedHeader(renewed.access_token).kid;
    expect(second).not.toBe(first);
    const { keys } = await identity.request(Keys.list, undefined, {});
    expect(keys.map(({ kid }) => kid)).toEqual([second, first]);
  });
});

describe('the first administrator', () => {
  const administrator = {
    ADMIN_EMAIL: 'Root@example.com',
    ADMIN_PASSWORD: 'blume leiter nebel',
  };

  it('is created at start, once, verified and with the role', async () => {
    identity = await IdentityFixture.start('identity_admin', administrator);
    await identity.addReplica();
    const answer = await login('root@example.com', administrator.ADMIN_PASSWORD);
    expect(answer.user).toMatchObject({ role: 'admin', email_verified: true });
    expect(actorOf(answer.access_token).roles).toContain('admin');
    expect(await identity.events('identity.user.registered')).toHaveLength(1);
  });

  it('is not followed by another when the address was changed, with the first password at that', async () => {
    identity = await IdentityFixture.start('identity_moved_admin', administrator);
    await identity.dataSource.query(`UPDATE users SET email = 'moved@example.com'`);
    await identity.addReplica();
    expect(await identity.dataSource.query('SELECT email FROM users')).toEqual([
      { email: 'moved@example.com' },
    ]);
  });

  it('needs a password that is not guessed first, or the start ends with the reason', async () => {
    identity = await IdentityFixture.start('identity_weak_admin');
    await expect(
      identity.addReplica({ ...administrator, ADMIN_PASSWORD: 'Password1' }),
    ).rejects.toThrow(/ADMIN_PASSWORD: .*most common/);
    expect((await identity.dataSource.query('SELECT 1 FROM users')).length).toBe(0);
  });

  it('is nobody who registered the address before', async () => {
    identity = await IdentityFixture.start('identity_no_admin');
    const user = await identity.register({ email: 'root@example.com' });
    await identity.addReplica(administrator);
    const { actor } = await identity.signIn(user.email);
    expect(actor.roles).toEqual(['student']);
  });
});

const surroundings = () => ({
  now: identity.clock.now(),
  publicUrl: 'https://mentorhub.test',
  costs: { ARGON2_MEMORY_KIB: 47_104, ARGON2_PASSES: 1, ARGON2_PARALLELISM: 1 },
});

describe('demo data', () => {
  it('creates its people once, who can sign in, and leaves the next ids to others', async () => {
    identity = await IdentityFixture.start('identity_demo');
    const seed = () => identity.dataSource.transaction((tx) => seedPeople(tx, surroundings()));
    const { accounts } = await seed();
    expect(await seed()).toEqual({ accounts });
    expect(accounts.map(({ role }) => role)).toEqual(['admin', 'mentor', 'mentee']);

    for (const account of accounts) {
      const { user } = await login(account.email, account.password);
      expect(user.email_verified).toBe(true);
    }
    const { people } = await identity.request(Users.people, undefined, {
      ids: demoPeople.map(({ id }) => id),
    });
    expect(people).toHaveLength(71);
    expect(people.filter(({ avatar_url }) => avatar_url === null)).toHaveLength(12);
    expect(people.find(({ user_id }) => user_id === 2)?.avatar_url).toBe(
      'https://mentorhub.test/avatars/anna-sokolova.svg',
    );
    expect(await identity.events('identity.user.registered')).toHaveLength(71);
    expect((await identity.register({ email: 'next@example.com' })).id).toBe(72);
    expect(demoPassword).toBe('mentorhub-demo');
  });

  it('does not mix with an installation that is in use', async () => {
    identity = await IdentityFixture.start('identity_demo_late');
    await identity.register();
    await expect(
      identity.dataSource.transaction((tx) => seedPeople(tx, surroundings())),
    ).rejects.toThrow(/empty database/);
  });
});
