import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findNatsServer } from '@mentorhub/local-system';
import { testCertificates, type TestCertificates } from '@mentorhub/testing';
import { createUser } from '@nats-io/nkeys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { natsServerFile, natsServerFiles } from './nats-server-files.js';

const run = promisify(execFile);

describe.each(Object.entries(natsServerFiles()))('%s', (path, text) => {
  let certificates: TestCertificates;
  let directory: string;
  let nats: string;

  beforeAll(async () => {
    nats = await findNatsServer();
    certificates = await testCertificates(['nats']);
    directory = await mkdtemp(join(tmpdir(), 'mentorhub-nats-files-'));
  });

  afterAll(async () => {
    await certificates.remove();
    await rm(directory, { recursive: true, force: true });
  });

  /** The variables that a file takes from the environment of the server. */
  function environmentOf(): Record<string, string> {
    const names = [...text.matchAll(/\$([A-Z_]*NKEY[A-Z_]*)/g)].map(([, name = '']) => name);
    const keys = names.map((name) => [name, createUser().getPublicKey()]);
    return { SERVER_NAME: 'nats-0', ...Object.fromEntries(keys) };
  }

  /** Has a nats-server check the file, with certificates that are there. */
  async function check(environment: Record<string, string>): Promise<string> {
    const file = join(directory, 'nats.conf');
    const here = text
      .replaceAll('/etc/nats/tls/tls.crt', certificates.certFile)
      .replaceAll('/etc/nats/tls/tls.key', certificates.keyFile)
      .replaceAll('/etc/nats/tls/ca.crt', certificates.caFile);
    await writeFile(file, here);
    const { stderr } = await run(nats, ['-t', '-c', file], { env: environment });
    return stderr;
  }

  it('says what nats-permissions.ts does; else run npm run docs', async () => {
    expect(await readFile(natsServerFile(path), 'utf8')).toBe(text);
  });

  it('is taken by a nats-server that has the public key of each of the seven apps', async () => {
    const environment = environmentOf();
    expect(Object.keys(environment)).toHaveLength(8);
    expect(await check(environment)).toContain('is valid');
  });

  it('is refused without the key of an app, by the name of its variable', async () => {
    const { NATS_NKEY_CHAT: _, ...environment } = environmentOf();
    await expect(check(environment)).rejects.toThrow('NATS_NKEY_CHAT');
  });

  it('holds no secret', () => {
    expect(text).not.toMatch(/\bpassword\b|SU[A-Z2-7]{50}/);
  });
});
