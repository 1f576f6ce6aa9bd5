import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findKustomize } from './kustomize.js';

it('says how to install kustomize where there is none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mentorhub-empty-'));
  await expect(findKustomize({ path: '', folder, fetch: false })).rejects.toThrow(
    /kustomize[^]*brew install kustomize[^]*apt-get install kustomize/,
  );
  await rm(folder, { recursive: true });
});
