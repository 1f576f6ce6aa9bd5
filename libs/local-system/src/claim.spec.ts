import { readdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { claimFolder, folderHolder } from './claim.js';

describe('the claim on a data folder', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mentorhub-claim-'));
    return () => rm(directory, { recursive: true, force: true });
  });

  it('is refused while another process uses it, with a remedy', async () => {
    await claimFolder(directory);
    await expect(claimFolder(directory)).rejects.toThrow(
      /already running on the data in .*\(process \d+\)\.[^]*kill \d+[^]*DATA_DIRECTORY=/,
    );
  });

  it('can be taken again after it was given back', async () => {
    const release = await claimFolder(directory);
    await expect(folderHolder(directory)).resolves.toBe(process.pid);
    await release();
    await expect(folderHolder(directory)).resolves.toBeUndefined();
    await expect(readdir(directory)).resolves.toEqual([]);
    await expect(claimFolder(directory)).resolves.toBeTypeOf('function');
  });

  it('does not count when its process is gone', async () => {
    await writeFile(join(directory, 'running.json'), '{"pid":4194304,"born":"then"}');
    await expect(claimFolder(directory)).resolves.toBeTypeOf('function');
  });

  it('does not count when another process has got the id', async () => {
    await writeFile(
      join(directory, 'running.json'),
      JSON.stringify({ pid: process.pid, born: 'then' }),
    );
    await expect(claimFolder(directory)).resolves.toBeTypeOf('function');
  });
});
