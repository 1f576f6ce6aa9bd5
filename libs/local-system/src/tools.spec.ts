import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { findTool, type Tool } from './tools.js';

const isDebian = existsSync('/usr/lib/apt/apt-helper');

/** A package of Debian with a program that prints `text`. */
function makePackage(directory: string, text: string): Buffer {
  const root = join(directory, 'package');
  for (const folder of ['DEBIAN', 'usr/bin', 'usr/share/bash-completion/completions']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  writeFileSync(
    join(root, 'DEBIAN/control'),
    'Package: greeter\nVersion: 1\nArchitecture: all\nMaintainer: a <a@localhost>\nDescription: greets\n',
  );
  writeFileSync(join(root, 'usr/share/bash-completion/completions/greeter'), 'complete greeter\n');
  writeFileSync(join(root, 'usr/bin/greeter'), `#!/bin/sh\necho ${text}\n`);
  chmodSync(join(root, 'usr/bin/greeter'), 0o755);
  const file = join(directory, 'greeter.deb');
  execFileSync('dpkg-deb', ['--build', '--root-owner-group', root, file], { stdio: 'ignore' });
  return readFileSync(file);
}

function greeter(sha256: string): Tool {
  const archived = { path: 'pool/g/greeter.deb', sha256 };
  return {
    name: 'greeter',
    package: 'greeter',
    archived: { amd64: archived, arm64: archived },
    missing: 'greeter is not installed.',
    versionArguments: ['--version'],
    isVersion: (output) => output.startsWith('greeter '),
    howToInstall: ['Debian apt-get install greeter'],
  };
}

describe.runIf(isDebian)('fetching a program from the package archive', () => {
  let directory: string;
  let archives: string[];
  let archive: Buffer;
  let asked: string[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mentorhub-tool-'));
    archive = makePackage(directory, 'greeter 1.0');
    asked = [];
    const server = createServer((request, response) => {
      asked.push(request.url!);
      response.writeHead(request.url!.startsWith('/kept/') ? 200 : 404).end(archive);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    archives = [`http://127.0.0.1:${port}/current`, `http://127.0.0.1:${port}/kept`];
    return async () => {
      server.closeAllConnections();
      server.close();
      await rm(directory, { recursive: true, force: true });
    };
  });

  const find = (tool: Tool): Promise<string> =>
    findTool(tool, { path: '', folder: join(directory, 'bin'), archives });

  it('takes the file with the known hash, where a newer one has replaced it as well', async () => {
    const sha256 = createHash('sha256').update(archive).digest('hex');
    const binary = await find(greeter(sha256));
    expect(execFileSync(binary, { encoding: 'utf8' })).toBe('greeter 1.0\n');
    expect(asked).toEqual(['/current/pool/g/greeter.deb', '/kept/pool/g/greeter.deb']);
    expect(await readdir(join(directory, 'bin'))).toEqual(['greeter']);

    expect(await find(greeter('0'.repeat(64)))).toBe(binary);
    expect(asked).toHaveLength(2);
  });

  it('refuses a file with another hash, and says how to install the program', async () => {
    await expect(find(greeter('0'.repeat(64)))).rejects.toThrow(
      /greeter is not installed\. Fetching it with apt failed: [^]*Debian apt-get install greeter/,
    );
    expect(await readdir(join(directory, 'bin'))).toEqual([]);
  });

  it('refuses a program that does not run here', async () => {
    archive = makePackage(directory, 'something else');
    const sha256 = createHash('sha256').update(archive).digest('hex');
    await expect(find(greeter(sha256))).rejects.toThrow('the downloaded greeter does not run here');
    expect(await readdir(join(directory, 'bin'))).toEqual([]);
  });
});
