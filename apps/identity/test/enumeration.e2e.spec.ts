import { hash } from '@node-rs/argon2';
import { Auth, type Device, EmailVerification, PasswordChanges } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goodPassword, IdentityFixture, laptop } from './fixture.js';

/*
 * The time of an answer must not tell which addresses have an account (ASVS 6.3.8). A request that wrote an event only for
 * known addresses would take a seventh longer for those; without such a difference, medians of 200 tries differ by some
 * hundredths here.
 */

const tries = 200;
/** A check of a password takes long, which drowns the noise; a difference would be as large as the check. */
const signInTries = 30;
const warmUps = 20;
/** As a part of the median time of all answers. */
const noise = 0.1;

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_enumeration');
});
afterAll(() => identity.stop());

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** Every order of a few things. */
function orders<T>(things: readonly T[]): T[][] {
  if (things.length < 2) return [[...things]];
  return things.flatMap((first) =>
    orders(things.filter((thing) => thing !== first)).map((rest) => [first, ...rest]),
  );
}

/**
 * How much longer the answers for each address but the last take than those for the last: the median of the differences
 * within a round, as a part of the usual time. The addresses of a round are asked for in every order in turn, so that
 * what an answer leaves to be done, such as the relay of its event, slows all alike. Where the differences exceed the
 * noise, twice as many tries are added, in which noise fades and a real difference does not.
 */
async function delays(
  addresses: readonly string[],
  ask: (email: string) => Promise<unknown>,
  rounds = tries,
): Promise<number[]> {
  const sequences = orders(addresses.map((_, index) => index));
  const times: number[][] = addresses.map(() => []);

  async function series(more: number): Promise<number[]> {
    for (let round = 0; round < more; round++) {
      // Nobody waits for what was done before.
      await identity.dataSource.query('TRUNCATE mail_pauses, sign_in_failures, network_counters');
      for (const index of sequences[round % sequences.length]!) {
        const start = performance.now();
        await ask(addresses[index]!);
        times[index]!.push(performance.now() - start);
      }
    }
    const measured = times.map((all) => all.slice(warmUps));
    const [others, last] = [measured.slice(0, -1), measured.at(-1)!];
    const usual = median(measured.flat());
    return others.map((some) => median(some.map((time, round) => time - last[round]!)) / usual);
  }

  const first = await series(warmUps + rounds);
  return first.every((delay) => Math.abs(delay) < noise) ? first : series(2 * rounds);
}

describe('the time of an answer', () => {
  let known: string;
  let deactivated: string;
  const unknown = 'nobody@example.com';

  beforeAll(async () => {
    const { id, email } = await identity.register();
    await identity.dataSource.query('UPDATE users SET is_active = false WHERE id = $1', [id]);
    deactivated = email;
    known = (await identity.register()).email;
  });

  const requests: [string, (request: { email: string; device: Device }) => Promise<unknown>][] = [
    ['a new password', (request) => identity.request(PasswordChanges.forgot, undefined, request)],
    [
      'the verification mail',
      (request) => identity.request(EmailVerification.send, undefined, request),
    ],
  ];

  it.each(requests)(
    'to a request for %s does not tell whether an address has an account',
    async (_, request) => {
      const found = await delays([known, deactivated, unknown], (email) =>
        request({ email, device: laptop }),
      );
      for (const delay of found) expect(Math.abs(delay)).toBeLessThan(noise);
    },
    60_000,
  );

  it('to a sign-in that fails does not tell which addresses have an account, nor what kind of account', async () => {
    const passwordless = (await identity.register()).email;
    const old = (await identity.register()).email;
    await identity.dataSource.query(
      'UPDATE users SET password_hash = NULL, email_verified_at = created_at WHERE email = $1',
      [passwordless],
    );
    const cheap = await hash(goodPassword, { memoryCost: 19_456, timeCost: 1, parallelism: 1 });
    await identity.dataSource.query('UPDATE users SET password_hash = $2 WHERE email = $1', [
      old,
      cheap,
    ]);
    const found = await delays(
      [known, passwordless, deactivated, old, unknown],
      (email) =>
        identity.failure(Auth.login, undefined, {
          email,
          password: 'not this one',
          device: laptop,
        }),
      signInTries,
    );
    for (const delay of found) expect(Math.abs(delay)).toBeLessThan(noise);
  }, 60_000);
});
