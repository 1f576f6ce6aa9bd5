import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from './command.js';
import { ProgressBar } from './progress-bar.js';

/** What the platform answers to the import. */
let answer: { status: number; body: unknown };
let received: { url: string; authorization?: string; body: string }[];
let server: Server;
let url: string;
let folder: string;
let file: string;

beforeEach(async () => {
  received = [];
  answer = { status: 200, body: { created: 2, updated: 1, errors: [], error_count: 0 } };
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { url: path = '', headers } = request;
      const body = Buffer.concat(pieces).toString();
      received.push({ url: path, authorization: headers.authorization, body });
      const { status, body: answered } = path.endsWith('/login')
        ? { status: 200, body: { access_token: 'of-the-admin' } }
        : answer;
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answered));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = await mkdtemp(join(tmpdir(), 'members-'));
  file = join(folder, 'members.csv');
  await writeFile(
    file,
    'email,first_name,last_name,membershiptype\nada@example.com,Ada,L,Mentor\n',
  );
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

async function command(parameters: string[], environment: Record<string, string> = {}) {
  let output = '';
  let screen = '';
  const code = await run(parameters, {
    environment: { PUBLIC_URL: url, ...environment },
    output: (text) => (output += text),
    screen: { write: (text) => (screen += text), isTerminal: false },
  });
  return { code, output, screen };
}

describe('npm run members:import', () => {
  it('signs in, sends the file and says what became of it', async () => {
    const outcome = await command([file], {
      ADMIN_EMAIL: 'root@example.com',
      ADMIN_PASSWORD: 'gondel wiese rabe',
    });
    expect(outcome).toEqual({
      code: 0,
      output: '2 created, 1 updated, 0 left out.\n',
      screen: 'Importing: 100 %\n',
    });
    const [login, upload] = received;
    expect(JSON.parse(login!.body)).toEqual({
      email: 'root@example.com',
      password: 'gondel wiese rabe',
    });
    expect(upload).toMatchObject({
      url: '/api/v1/admin/members/import',
      authorization: 'Bearer of-the-admin',
      body: expect.stringContaining('ada@example.com'),
    });
  });

  it('ends with 1 and the bad lines when there were any', async () => {
    answer.body = {
      created: 0,
      updated: 0,
      errors: [{ line: 7, message: 'email is missing.' }],
      error_count: 3,
    };
    expect(await command([file], { ACCESS_TOKEN: 'given' })).toMatchObject({
      code: 1,
      output: '0 created, 0 updated, 3 left out.\nline 7: email is missing.\n… and 2 more.\n',
    });
    expect(received.map(({ authorization }) => authorization)).toEqual(['Bearer given']);
  });

  it('ends with 1 and what the platform says when that refuses', async () => {
    answer = {
      status: 422,
      body: { detail: 'Some fields are invalid.', errors: [{ message: 'The file is empty.' }] },
    };
    expect(await command([file])).toMatchObject({
      code: 1,
      output: '',
      screen: expect.stringContaining('Some fields are invalid.\n  The file is empty.\n'),
    });
  });

  it.each([
    [[], {}, /Usage:/],
    [['one.csv', 'two.csv'], {}, /Usage:/],
    [['--nonsense'], {}, /nonsense/],
    [['missing.csv'], {}, /missing\.csv cannot be read/],
    [['missing.csv'], { PUBLIC_URL: 'localhost' }, /is no address/],
    [['missing.csv'], { ADMIN_EMAIL: 'root@example.com' }, /ADMIN_PASSWORD/],
  ] as const)(
    'with %j and %j ends with 1 and the remedy',
    async (parameters, environment, hint) => {
      const { code, screen } = await command([...parameters], environment);
      expect(code).toBe(1);
      expect(screen).toMatch(hint);
    },
  );

  it('ends with 1 when nothing answers', async () => {
    const { code, screen } = await command([file, '--url', 'http://127.0.0.1:1']);
    expect(code).toBe(1);
    expect(screen).toContain('http://127.0.0.1:1 does not answer');
  });
});

describe('the progress bar', () => {
  it('grows in a terminal, and is drawn for every percent at most once', () => {
    let shown = '';
    const bar = new ProgressBar(
      { write: (text) => (shown += text), isTerminal: true },
      'Importing',
    );
    for (const share of [0, 0.001, 0.5, 0.5, 1]) bar.show(share);
    bar.end();
    expect(shown.split('\r').slice(1)).toEqual([
      `Importing ${'░'.repeat(30)}   0 %`,
      `Importing ${'█'.repeat(15)}${'░'.repeat(15)}  50 %`,
      `Importing ${'█'.repeat(30)} 100 %\n`,
    ]);
  });
});
