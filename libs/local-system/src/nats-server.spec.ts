import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { findNatsServer } from './nats-server.js';

async function install(directory: string, script: string): Promise<string> {
  const file = join(directory, 'nats-server');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

describe('finding nats-server', () => {
  let folder: string;
  let empty: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mentorhub-bin-'));
    empty = await mkdtemp(join(tmpdir(), 'mentorhub-empty-'));
    return async () => {
      await rm(folder, { recursive: true, force: true });
      await rm(empty, { recursive: true, force: true });
    };
  });

  it('prefers the one on the PATH', async () => {
    const onPath = await install(empty, 'echo nats-server: v2.10.0');
    await install(folder, 'echo nats-server: v2.9.0');
    await expect(findNatsServer({ path: empty, folder, fetch: false })).resolves.toBe(onPath);
  });

  it('takes the one in our own folder when the PATH has none', async () => {
    const own = await install(folder, 'echo nats-server: v2.9.0');
    await expect(findNatsServer({ path: empty, folder, fetch: false })).resolves.toBe(own);
  });

  it('passes over one that does not run on this machine', async () => {
    await install(empty, 'exit 126');
    const own = await install(folder, 'echo nats-server: v2.9.0');
    await expect(findNatsServer({ path: empty, folder, fetch: false })).resolves.toBe(own);
  });

  it('says how to install it on each system when there is none', async () => {
    await expect(findNatsServer({ path: empty, folder, fetch: false })).rejects.toThrow(
      /brew install nats-server[^]*winget install[^]*apt-get install[^]*docker run/,
    );
  });
});
