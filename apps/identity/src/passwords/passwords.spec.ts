import { hash, parseOptions } from '@node-rs/argon2';
import { requestContext } from '@mentorhub/messaging';
import { describe, expect, it, vi } from 'vitest';
import { Passwords } from './passwords.js';

const costs = { ARGON2_MEMORY_KIB: 47_104, ARGON2_PASSES: 1, ARGON2_PARALLELISM: 1 };
const passwords = new Passwords(costs);
const owner = { email: 'ada@example.com', fullName: 'Ada Lovelace' };

async function timeOf(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)]!;
}

describe('stored passwords', () => {
  it('are argon2id hashes with 46 MiB', async () => {
    const stored = await passwords.hash('gondel wiese rabe', owner);
    expect(stored).toMatch(/^\$argon2id\$/);
    expect(parseOptions(stored)).toMatchObject({ memoryCost: 47_104, timeCost: 1, parallelism: 1 });
  });

  it('match their password to the last character, also past 72 bytes', async () => {
    const long = 'gondel wiese rabe '.repeat(7);
    const stored = await passwords.hash(`${long}a`, owner);
    expect(await passwords.matches(`${long}a`, stored)).toBe(true);
    expect(await passwords.matches(`${long}b`, stored)).toBe(false);
  });

  it('never match where there is none', async () => {
    expect(await passwords.matches('gondel wiese rabe', undefined)).toBe(false);
  });

  it('are hashed anew when the costs have changed, and only then', async () => {
    const weak = await hash('gondel wiese rabe', { memoryCost: 19_456, timeCost: 2 });
    const renewed = await passwords.rehash('gondel wiese rabe', weak);
    expect(await passwords.matches('gondel wiese rabe', renewed)).toBe(true);
    expect(await passwords.rehash('gondel wiese rabe', renewed!)).toBeUndefined();
  });

  it('are hashed at the configured costs, and those of before anew at the next sign-in', async () => {
    const stored = await passwords.hash('gondel wiese rabe', owner);
    const costlier = new Passwords({ ...costs, ARGON2_MEMORY_KIB: 65_536, ARGON2_PASSES: 2 });
    expect(await costlier.matches('gondel wiese rabe', stored)).toBe(true);
    const renewed = await costlier.rehash('gondel wiese rabe', stored);
    expect(parseOptions(renewed!)).toMatchObject({ memoryCost: 65_536, timeCost: 2 });
  });

  it.each([
    ['lower', { memoryCost: 19_456, timeCost: 1 }],
    ['higher', { memoryCost: 65_536, timeCost: 2 }],
  ])(
    'of accounts from before, at %s costs, take as long to refuse as where there is none',
    async (_, before) => {
      const checked = new Passwords(costs);
      const stored = await hash('gondel wiese rabe', before);
      const differences: number[] = [];
      const usual: number[] = [];
      for (let round = 0; round < 25; round++) {
        const known = await timeOf(() => checked.matches('wrong', stored));
        const unknown = await timeOf(() => checked.matches('wrong', undefined));
        differences.push(known - unknown);
        usual.push(unknown);
      }
      expect(Math.abs(median(differences)) / median(usual)).toBeLessThan(0.35);
    },
    30_000,
  );

  it('are checked in turn when many arrive at once', async () => {
    const stored = await passwords.hash('gondel wiese rabe', owner);
    const checks = Array.from({ length: 12 }, (_, n) =>
      passwords.matches(n % 2 ? 'gondel wiese rabe' : 'no', stored),
    );
    expect((await Promise.all(checks)).filter(Boolean)).toHaveLength(6);
  });
});

describe('a flood of registrations', () => {
  it('does not keep anybody from signing in, and is refused beyond a bound', async () => {
    const flooded = new Passwords(costs);
    const stored = await flooded.hash('gondel wiese rabe', owner);
    const registrations = Promise.allSettled(
      Array.from({ length: 600 }, () => flooded.hash('gondel wiese rabe', owner)),
    );
    expect(await flooded.matches('gondel wiese rabe', stored)).toBe(true);
    const refused = (await registrations).flatMap((one) =>
      one.status === 'rejected' ? [one.reason] : [],
    );
    expect(refused).toHaveLength(600 - 31);
    expect(refused[0]).toMatchObject({ code: 'OVERLOADED', retryAfterSeconds: 2 });
  }, 30_000);

  it('registers nobody whose request has passed its deadline while it waited', async () => {
    const flooded = new Passwords(costs);
    const first = flooded.hash('gondel wiese rabe', owner);
    const deadline = new AbortController();
    const admitted = vi.fn<() => Promise<void>>(() => Promise.resolve());
    const late = requestContext.run({ requestId: 'late', signal: deadline.signal }, () =>
      flooded.hash('gondel wiese rabe', owner, admitted),
    );
    deadline.abort(new Error('too late'));
    await expect(late).rejects.toThrow('too late');
    expect(admitted).not.toHaveBeenCalled();
    await first;
    expect(await flooded.hash('gondel wiese rabe', owner, admitted)).toMatch(/^\$argon2id/);
  });
});
