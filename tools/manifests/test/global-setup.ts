import { workspaceRoot } from '@mentorhub/local-system';
import type { TestProject } from 'vitest/node';
import { findKustomize } from '../src/kustomize.js';
import { renderFolders, type Rendering } from '../src/render.js';
import { printSecrets, type PrintedSecrets } from '../src/secrets.js';
import { renderRestored } from './restored.js';

declare module 'vitest' {
  interface ProvidedContext {
    kustomize: string;
    renderings: Rendering[];
    restored: Rendering;
    secrets: PrintedSecrets;
  }
}

/** Vitest's global setup: renders every folder, and prints secrets, once for all test files. */
export default async function setup(project: TestProject): Promise<void> {
  const kustomize = await findKustomize();
  project.provide('kustomize', kustomize);
  project.provide('renderings', await renderFolders(kustomize, workspaceRoot));
  project.provide('restored', await renderRestored(kustomize, workspaceRoot));
  project.provide('secrets', await printSecrets(workspaceRoot));
}
