import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceVariables } from './common-variables.js';
import { ConfigurationError, readEnvironment } from './read-environment.js';
import type { RawEnvironment } from './variables.js';

const variables = serviceVariables('identity');
const needed = {
  DATABASE_URL: 'postgres://u:p@db',
  NATS_URL: 'nats://nats:4222',
  PUBLIC_URL: 'https://mentorhub.example',
};

const read = (environment: RawEnvironment) =>
  readEnvironment({ ...needed, ...environment }, variables);

function problemsOf(environment: RawEnvironment): readonly string[] {
  try {
    read(environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

describe('secrets in files', () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mentorhub-secrets-'));
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  async function file(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, content);
    return path;
  }

  it('are read without the line end behind them', async () => {
    const NATS_PASSWORD_FILE = await file('password', 'hunter2\r\n');
    expect(read({ NATS_PASSWORD_FILE }).NATS_PASSWORD).toBe('hunter2');
  });

  it('are found where Kubernetes puts them, behind links', async () => {
    const path = join(directory, 'link');
    await symlink(await file('target', 'hunter3'), path);
    expect(read({ NATS_PASSWORD_FILE: path }).NATS_PASSWORD).toBe('hunter3');
  });

  it('serve under each of the names of an address, with the same rules as the variables', async () => {
    const DATABASE_URL_FILE = await file('server', 'postgres://u:p@server/postgres\n');
    const own = await file('own', 'postgres://u:p@server/people\n');
    const DATABASE_DIRECT_URL_FILE = await file('direct', 'postgres://u:p@primary\n');
    const common = { DATABASE_URL: '', DATABASE_URL_FILE, DATABASE_DIRECT_URL_FILE };
    expect(read(common)).toMatchObject({
      DATABASE_URL: 'postgres://u:p@server/identity',
      DATABASE_DIRECT_URL: 'postgres://u:p@primary/identity',
    });
    expect(read({ ...common, DATABASE_URL_IDENTITY_FILE: own })).toMatchObject({
      DATABASE_URL: 'postgres://u:p@server/people',
      DATABASE_DIRECT_URL: 'postgres://u:p@primary/people',
    });
  });

  it('are refused beside the variable itself, by both names', async () => {
    const NATS_PASSWORD_FILE = await file('both', 'a');
    expect(problemsOf({ NATS_PASSWORD_FILE, NATS_PASSWORD: 'b' })).toEqual([
      'NATS_PASSWORD and NATS_PASSWORD_FILE are both set: unset one of them.',
    ]);
  });

  it('stop the start when the file cannot be used, all at once, without showing the path', async () => {
    const empty = await file('empty', ' \n');
    const large = await file('large', 'x'.repeat(64 * 1024 + 1));
    const binary = await file('binary', new Uint8Array([0xff, 0xfe, 0x41, 0x00]));
    const folder = join(directory, 'folder');
    await mkdir(folder);
    const circle = join(directory, 'circle');
    await symlink(circle, circle);
    const password = (path: string): readonly string[] => problemsOf({ NATS_PASSWORD_FILE: path });
    expect(password(empty).join()).toMatch(/^NATS_PASSWORD_FILE names an empty file: /);
    expect(password(large).join()).toMatch(/^NATS_PASSWORD_FILE names a file of more than 65536 /);
    expect(password(binary).join()).toMatch(/^NATS_PASSWORD_FILE names a file that is not UTF-8/);
    expect(password(folder).join()).toMatch(/^NATS_PASSWORD_FILE names something that is no file/);
    expect(password(circle).join()).toMatch(/^NATS_PASSWORD_FILE .* cannot be read \(ELOOP\)/);
    // What was meant as the secret itself.
    expect(password('hunter2').join()).not.toContain('hunter2');

    expect(
      problemsOf({
        DATABASE_URL: '',
        DATABASE_URL_IDENTITY_FILE: join(directory, 'missing'),
        NATS_PASSWORD_FILE: empty,
        LOG_LEVEL: 'loud',
      }),
    ).toEqual([
      expect.stringMatching(/^LOG_LEVEL must be one of/),
      expect.stringMatching(/^NATS_PASSWORD_FILE names an empty file/),
      expect.stringMatching(
        /^DATABASE_URL_IDENTITY_FILE names a file that does not exist: create it, or correct the path\./,
      ),
    ]);
  });

  // Windows has no pipes among its files.
  it.skipIf(process.platform === 'win32')('are not waited for on a pipe', () => {
    const path = join(directory, 'pipe');
    execFileSync('mkfifo', [path]);
    expect(problemsOf({ NATS_PASSWORD_FILE: path }).join()).toContain('no file');
  });

  it('are offered where a secret is missing, and not taken for what is no secret', async () => {
    const LOG_LEVEL_FILE = await file('level', 'debug');
    expect(read({ LOG_LEVEL_FILE }).LOG_LEVEL).toBe('info');
    expect(problemsOf({ DATABASE_URL: '' }).join()).toContain(
      'or DATABASE_URL_IDENTITY_FILE to the path of a file that holds it',
    );
  });
});
