import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Auth, Keys, signingKeysChangedSignal } from '@mentorhub/contracts';
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readConfig } from '../src/config.js';
import { Housekeeping } from '../src/housekeeping/housekeeping.js';
import { rotateKeys } from '../src/keys/rotate-keys.js';
import { IdentityFixture, laptop } from './fixture.js';

const minute = 60_000;
const command = fileURLToPath(new URL('../dist/rotate-keys.js', import.meta.url));

let identity: IdentityFixture;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_key_rotation');
  await identity.addReplica();
});
afterAll(() => identity.stop());

function rotate(atOnce = false) {
  return rotateKeys(readConfig(identity.environment), { atOnce, clock: identity.clock });
}

async function published(): Promise<string[]> {
  const { keys } = await identity.request(Keys.list, undefined, {});
  return keys.map(({ kid }) => kid);
}

/** Which keys the replicas sign with. */
async function signers(): Promise<Set<string | undefined>> {
  const { email } = await identity.register();
  const signedIn = await Promise.all(Array.from({ length: 6 }, () => identity.signIn(email)));
  return new Set(signedIn.map(({ access_token }) => decodeProtectedHeader(access_token).kid));
}

async function isAccepted(token: string): Promise<boolean> {
  const { keys } = await identity.request(Keys.list, undefined, {});
  const set = createLocalJWKSet({ keys: keys.map((key) => ({ ...key })) });
  return jwtVerify(token, set, { currentDate: identity.clock.now() }).then(
    () => true,
    () => false,
  );
}

function run(...parameters: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  if (!existsSync(command)) throw new Error('Build first: npm run build.');
  const options = { env: { ...identity.environment }, timeout: 60_000 };
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...parameters], options, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

describe('a rotation by command', () => {
  it('publishes the next key for 15 minutes before it signs, and nobody is signed out', async () => {
    const { access_token } = await identity.signUp();
    const [first] = await published();
    const { kid, signsFrom, withdrawn, isNew } = await rotate();
    expect(signsFrom.getTime() - identity.clock.now().getTime()).toBe(15 * minute);
    expect({ withdrawn, isNew }).toEqual({ withdrawn: [], isNew: true });
    expect(await published()).toEqual([kid, first]);
    identity.clock.advance(1000);
    expect(await signers()).toEqual(new Set([first]));
    // Again, it does nothing: the next key is on its way.
    expect(await rotate()).toEqual({ kid, signsFrom, withdrawn: [], isNew: false });

    identity.clock.advance(15 * minute);
    expect(await signers()).toEqual(new Set([kid]));
    expect(await isAccepted(access_token)).toBe(true);
    identity.clock.advance(60 * minute);
    expect(await published()).toEqual([kid]);
    expect((await identity.auditOf('keys.rotate')).at(-1)).toMatchObject({
      outcome: 'success',
      actor_id: null,
      detail: { kid, by_command: true, withdrawn: 0 },
    });
  });

  it('with --now withdraws all keys: every replica signs with the new one within a second', async () => {
    const { access_token, refresh_token } = await identity.signUp();
    const next = await rotate();
    const before = await published();
    expect(before).toContain(next.kid);
    const { kid, withdrawn } = await rotate(true);
    expect(withdrawn).toEqual(expect.arrayContaining(before));
    expect(await published()).toEqual([kid]);
    expect(await isAccepted(access_token)).toBe(false);

    identity.clock.advance(1000);
    expect(await signers()).toEqual(new Set([kid]));
    const renewed = await identity.request(Auth.refresh, undefined, {
      refresh_token,
      device: laptop,
    });
    expect(await isAccepted(renewed.access_token)).toBe(true);
    expect((await identity.auditOf('keys.rotate')).at(-1)).toMatchObject({
      detail: { kid, by_command: true, withdrawn: withdrawn.length },
    });
    // The key that was to follow does not.
    identity.clock.advance(15 * minute);
    expect(await signers()).toEqual(new Set([kid]));
  });

  it('by many at the same time leaves one key that signs', async () => {
    const rotations = await Promise.all(Array.from({ length: 4 }, () => rotate(true)));
    const kids = rotations.map(({ kid }) => kid);
    const [left, ...others] = await published();
    expect(others).toEqual([]);
    expect(kids).toContain(left);
  });

  it('is forgotten after the last token could have expired', async () => {
    const { withdrawn } = await rotate(true);
    identity.clock.advance(2 * 86_400_000);
    await identity.replicas[0]!.app.get(Housekeeping).sweep();
    const rows = await identity.dataSource.query<unknown[]>(
      'SELECT FROM signing_keys WHERE kid = ANY ($1)',
      [withdrawn],
    );
    expect(rows).toEqual([]);
  });
});

describe('npm run keys:rotate', () => {
  it('says what it did, and has the gateways drop the old keys at once', async () => {
    const [old] = await published();
    const received = vi.fn<(data: { withdrawn: string[] }) => void>();
    const subscription = identity.signals.subscribe(signingKeysChangedSignal, received);
    await identity.request(Keys.list, undefined, {});
    const { code, stdout } = await run('--now');
    const [kid] = await published();
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        new RegExp(`^Key ${kid} signs access tokens from .+ on\\.\\nKey ${old} is withdrawn\\.\\n`),
      ),
    });
    await expect
      .poll(() => received.mock.calls)
      .toEqual([[{ withdrawn: [old] }, expect.any(String)]]);
    subscription.unsubscribe();
  }, 60_000);

  it('explains itself when it is called with something else', async () => {
    const before = await published();
    const { code, stderr } = await run('--force');
    expect(code).toBe(64);
    expect(stderr).toMatch(/--force[^]*Usage:[^]*--now/);
    expect(await published()).toEqual(before);
  }, 60_000);
});
