import { Auth, Users } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IdentityFixture } from './fixture.js';

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_hashing');
});
afterAll(() => identity.stop());

const megabyte = 1024 ** 2;

describe('a flood of sign-ins', () => {
  it('is refused past a bound, takes the memory of a few hashes and leaves other requests alone', async () => {
    const { actor } = await identity.signUp();
    const before = process.memoryUsage().rss;
    let most = before;
    const sampling = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 5);
    let underWay = 260;
    const flood = Array.from({ length: underWay }, async (_, n) => {
      const error = await identity.failure(Auth.login, undefined, {
        email: `nobody${n}@example.com`,
        password: 'gondel wiese rabe',
        device: { user_agent: 'Flood', ip: `198.18.${n % 250}.${1 + Math.floor(n / 250)}` },
      });
      underWay -= 1;
      return error;
    });
    const waits: number[] = [];
    for (let n = 0; n < 10; n++) {
      const askedAt = performance.now();
      await identity.request(Users.me, actor, {});
      waits.push(performance.now() - askedAt);
    }
    expect(underWay).toBeGreaterThan(50);
    const errors = await Promise.all(flood);
    clearInterval(sampling);

    const refused = errors.filter(({ code }) => code === 'OVERLOADED');
    expect(refused.length).toBeGreaterThan(100);
    expect(
      refused.every(({ status, retryAfterSeconds }) => status === 503 && retryAfterSeconds === 2),
    ).toBe(true);
    expect(new Set(errors.map(({ code }) => code))).toEqual(
      new Set(['OVERLOADED', 'INVALID_CREDENTIALS']),
    );
    // 260 hashes at once would take 12 GB.
    expect(most - before).toBeLessThan(600 * megabyte);
    expect(waits.toSorted((one, other) => one - other)[5]).toBeLessThan(1000);
  }, 30_000);
});
