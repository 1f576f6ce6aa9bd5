import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Auth, Sessions } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { actorOf, IdentityFixture, laptop } from './fixture.js';

const command = fileURLToPath(new URL('../dist/create-admin.js', import.meta.url));
const password = 'gondel wiese rabe';

let identity: IdentityFixture;
let folder: string;

beforeAll(async () => {
  identity = await IdentityFixture.start('identity_create_admin');
  folder = await mkdtemp(join(tmpdir(), 'mentorhub-admin-'));
});
afterAll(async () => {
  await identity.stop();
  await rm(folder, { recursive: true });
});

interface Ended {
  code: number | null;
  output: string;
}

function run(parameters: string[], input = '', environment = identity.environment): Promise<Ended> {
  if (!existsSync(command)) throw new Error('Build first: npm run build.');
  const child = spawn(process.execPath, [command, ...parameters], { env: { ...environment } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  // A command that needs no password does not read.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ code, output }));
  });
}

async function rolesOf(email: string) {
  const login = { email, password, device: laptop };
  return actorOf((await identity.request(Auth.login, undefined, login)).access_token).roles;
}

describe('npm run admin:create', () => {
  it('creates an administrator with a password of the standard input, verified and published', async () => {
    const { code, output } = await run(['--email', 'Root@example.com'], `${password}\n`);
    expect({ code, output }).toEqual({
      code: 0,
      output: expect.stringMatching(/^User \d+ was created and is an administrator\.\n$/),
    });
    expect(await rolesOf('root@example.com')).toEqual(['student', 'admin']);
    const id = Number(/\d+/.exec(output)?.[0]);
    expect(await identity.events('identity.user.registered', id)).toHaveLength(1);
    expect(await identity.auditOf('user.role')).toContainEqual(
      expect.objectContaining({
        actor_id: null,
        user_id: id,
        detail: { role: 'admin', by: 'command' },
      }),
    );
    const again = await run(['--email', 'root@example.com']);
    expect(again).toEqual({ code: 0, output: `User ${id} is an administrator already.\n` });
  });

  it('takes the password from a file', async () => {
    const file = join(folder, 'password');
    await writeFile(file, password);
    const ended = await run(['--email', 'file@example.com', '--password-file', file]);
    expect(ended.code).toBe(0);
    expect(await rolesOf('file@example.com')).toContain('admin');
    const missing = join(folder, 'missing');
    const failed = await run(['--email', 'none@example.com', '--password-file', missing]);
    expect(failed).toMatchObject({ code: 1, output: expect.stringContaining('cannot be read') });
  });

  it('makes a user with a verified address one, who keeps the password and has to sign in again', async () => {
    const person = await identity.signUp();
    const { email, id } = person.user;
    const refused = await run(['--email', email]);
    expect(refused).toMatchObject({ code: 1, output: expect.stringContaining('not verified') });
    await identity.verify(person);
    expect((await run(['--email', email])).output).toBe(
      `User ${id} is an administrator now, and has to sign in again.\n`,
    );
    const { sessions } = await identity.request(Sessions.revoked, undefined, {});
    expect(sessions.map(({ session_id }) => session_id)).toContain(person.actor.session_id);
    expect(await rolesOf(email)).toContain('admin');
    expect(await identity.events('identity.user.role_changed', id)).toEqual([
      { user_id: id, role: 'admin' },
    ]);
    await identity.dataSource.query('UPDATE users SET is_active = false WHERE id = $1', [id]);
    expect((await run(['--email', email])).output).toMatch(/deactivated/);
  });

  it.each([
    [
      'a password that is guessed first',
      ['--email', 'weak@example.com'],
      'Password1\n',
      1,
      /tried first/,
    ],
    ['no password', ['--email', 'weak@example.com'], '', 1, /no password/],
    ['what is no address', ['--email', 'root'], '', 1, /no email address/],
    ['no address', [], '', 64, /Usage/],
    ['a password among the arguments', ['--password', password], '', 64, /Usage/],
  ])('refuses %s', async (_, parameters, input, code, reason) => {
    const ended = await run(parameters, input);
    expect(ended).toEqual({ code, output: expect.stringMatching(reason) });
    expect(ended.output).not.toMatch(/^\s+at /m);
    const users = await identity.dataSource.query('SELECT 1 FROM users WHERE email LIKE $1', [
      'weak%',
    ]);
    expect(users).toEqual([]);
  });

  it('ends with 78 and every error when the configuration is wrong', async () => {
    const { SECRET_KEY: _, ...environment } = identity.environment;
    const ended = await run(['--email', 'root@example.com'], '', environment);
    expect(ended).toMatchObject({ code: 78, output: expect.stringContaining('SECRET_KEY') });
  });
});
