import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { isAlive } from './guard.js';

it('lets neither process nor folder outlive a parent that is killed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mentorhub-guard-'));
  const script = fileURLToPath(new URL('../test/fixtures/guarding-parent.mjs', import.meta.url));
  const parent = spawn(process.execPath, [script, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = await new Promise<number>((resolve) => {
    parent.stdout.once('data', (text: Buffer) => resolve(Number(text.toString())));
  });
  expect(isAlive(pid)).toBe(true);

  parent.kill('SIGKILL');

  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 5_000);
  await vi.waitFor(() => expect(existsSync(folder)).toBe(false), 5_000);
});
