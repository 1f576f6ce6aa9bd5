import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testCertificates, type TestCertificates } from '@mentorhub/testing';
import { createAccount, createUser } from '@nats-io/nkeys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { natsVariables } from './nats-variables.js';
import { ConfigurationError, readEnvironment } from './read-environment.js';
import { natsConnection } from './settings.js';
import type { RawEnvironment } from './variables.js';

const plain = { NATS_URL: 'nats://a:4222,nats://b:4222' };
const encrypted = { NATS_URL: 'tls://a:4222, tls://b:4222' };
const seed = new TextDecoder().decode(createUser().getSeed());

function problemsOf(environment: RawEnvironment): readonly string[] {
  try {
    readEnvironment(environment, natsVariables);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

describe('the variables of the connection to NATS', () => {
  let certificates: TestCertificates;
  let directory: string;

  beforeAll(async () => {
    certificates = await testCertificates(['nats']);
    directory = await mkdtemp(join(tmpdir(), 'mentorhub-nats-variables-'));
  });

  afterAll(async () => {
    await certificates.remove();
    await rm(directory, { recursive: true, force: true });
  });

  it('name servers, an authority and a seed', () => {
    const NATS_CA_FILE = certificates.caFile;
    const config = readEnvironment(
      { ...encrypted, NATS_CA_FILE, NATS_NKEY_SEED: seed },
      natsVariables,
    );
    expect(natsConnection(config)).toEqual({
      servers: ['tls://a:4222', 'tls://b:4222'],
      user: undefined,
      pass: undefined,
      nkeySeed: seed,
      caFile: NATS_CA_FILE,
    });
  });

  it('allow a seed or a user with a password, not both', () => {
    expect(
      problemsOf({ ...plain, NATS_NKEY_SEED: seed, NATS_USER: 'chat', NATS_PASSWORD: 'hunter2' }),
    ).toEqual([
      'NATS_NKEY_SEED and NATS_USER and NATS_PASSWORD are set: unset the seed, or the user with the password.',
    ]);
  });

  it('take the seed from a file, and see its conflict with a user', async () => {
    const NATS_NKEY_SEED_FILE = join(directory, 'seed');
    await writeFile(NATS_NKEY_SEED_FILE, `${seed}\n`);
    expect(readEnvironment({ ...plain, NATS_NKEY_SEED_FILE }, natsVariables).NATS_NKEY_SEED).toBe(
      seed,
    );
    expect(problemsOf({ ...plain, NATS_NKEY_SEED_FILE, NATS_USER: 'chat' })).toHaveLength(1);
  });

  it('refuse a seed that is mistyped, of another kind or a public key, without showing it', () => {
    const mistyped = seed.slice(0, -1) + (seed.endsWith('A') ? 'B' : 'A');
    const account = new TextDecoder().decode(createAccount().getSeed());
    for (const wrong of [mistyped, account, createUser().getPublicKey()]) {
      const problems = problemsOf({ ...plain, NATS_NKEY_SEED: wrong });
      expect(problems).toEqual([
        expect.stringMatching(/^NATS_NKEY_SEED must be the seed of a user’s NKey/),
      ]);
      expect(problems.join()).not.toContain(wrong);
    }
  });

  it('refuse an authority that has no certificate, or that would not be asked', async () => {
    const noCertificate = join(directory, 'ca.crt');
    await writeFile(noCertificate, 'hello');
    for (const NATS_CA_FILE of [noCertificate, join(directory, 'missing')]) {
      expect(problemsOf({ ...encrypted, NATS_CA_FILE })).toEqual([
        expect.stringMatching(
          /^NATS_CA_FILE must be the path of a readable file with certificates/,
        ),
      ]);
    }
    expect(problemsOf({ ...plain, NATS_CA_FILE: certificates.caFile })).toEqual([
      expect.stringMatching(/^NATS_CA_FILE has no effect unless NATS_URL begins with tls:\/\//),
    ]);
  });

  it('refuse addresses that would not be encrypted or checked as they read', () => {
    expect(problemsOf({ NATS_URL: 'tls://a:4222,nats://b:4222' })).toEqual([
      expect.stringMatching(/^NATS_URL mixes tls:\/\/ and nats:\/\//),
    ]);
    for (const NATS_URL of ['tls://10.0.0.5:4222', 'tls://[::1]:4222']) {
      expect(problemsOf({ NATS_URL })).toEqual([
        expect.stringMatching(/^NATS_URL has an IP address behind tls:\/\//),
      ]);
    }
    const withUser = problemsOf({ NATS_URL: 'nats://chat:hunter2@a:4222' });
    expect(withUser).toEqual([expect.stringMatching(/^NATS_URL contains a user/)]);
    expect(withUser.join()).not.toContain('hunter2');
    expect(problemsOf({ NATS_URL: 'ws://a:8080' })).toHaveLength(1);
  });
});
