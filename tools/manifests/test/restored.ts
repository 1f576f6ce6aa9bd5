import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { renderFolders, type Rendering } from '../src/render.js';

const folder = 'k8s/overlays/production/postgres';

/** The patch with which docs/operations.md restores the cluster of identity. */
async function documentedPatch(root: string): Promise<string> {
  const text = await readFile(join(root, 'docs/operations.md'), 'utf8');
  const blocks = [...text.matchAll(/^( *)```yaml\n([^]*?)^\1```$/gm)]
    .map(([, indent = '', block = '']) => block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''))
    .filter((block) => block.includes('path: /spec/bootstrap'));
  const [patch] = blocks;
  if (patch === undefined || blocks.length > 1) {
    throw new Error(`docs/operations.md has ${blocks.length} patches of /spec/bootstrap, not one.`);
  }
  return patch;
}

/** Renders the databases of `production` with the patch of docs/operations.md, as its reader would. */
export async function renderRestored(kustomize: string, root: string): Promise<Rendering> {
  const copy = await mkdtemp(join(tmpdir(), 'mentorhub-restore-'));
  try {
    await cp(join(root, 'k8s'), join(copy, 'k8s'), { recursive: true });
    await writeFile(join(copy, folder, 'restore-identity.yaml'), await documentedPatch(root));
    const file = join(copy, folder, 'kustomization.yaml');
    const kustomization = parseDocument(await readFile(file, 'utf8'));
    kustomization.addIn(['patches'], {
      path: 'restore-identity.yaml',
      target: { kind: 'Cluster', name: 'identity-db' },
    });
    await writeFile(file, kustomization.toString());
    const [rendering] = await renderFolders(kustomize, copy, [folder]);
    return { ...rendering!, folder: 'docs/operations.md' };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
