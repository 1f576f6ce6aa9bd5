import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Finding } from './finding.js';
import type { KubernetesObject } from './objects.js';
import { readYaml } from './yaml.js';

const run = promisify(execFile);

/** What kustomize makes of a folder. */
export interface Rendering {
  /** From the root of the workspace: `k8s/overlays/production/chat`. */
  folder: string;
  /** Empty where it makes nothing. */
  text: string;
  /** Why it makes nothing: what kustomize says, warnings included. */
  problem?: string;
}

/** The objects of a folder. */
export interface Render {
  folder: string;
  objects: KubernetesObject[];
  /** Why it did not render, or not to what can be read strictly. */
  findings: Finding[];
}

/** The folders that are applied: each overlay as a whole, and each folder in it alone. */
export async function overlayFolders(root: string): Promise<string[]> {
  const overlays = await foldersIn(root, 'k8s/overlays');
  const parts = await Promise.all(overlays.map((overlay) => foldersIn(root, overlay)));
  return [...overlays, ...parts.flat()].toSorted();
}

/** The folders that can be applied, which components cannot. */
async function foldersIn(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${folder}/${name}`)
    .filter((each) => {
      const file = join(root, each, 'kustomization.yaml');
      return existsSync(file) && !/^kind: Component$/m.test(readFileSync(file, 'utf8'));
    });
}

async function renderFolder(kustomize: string, root: string, folder: string): Promise<Rendering> {
  try {
    const { stdout, stderr } = await run(kustomize, ['build', join(root, folder)], {
      maxBuffer: 64 * 1024 ** 2,
    });
    if (stderr.trim() === '') return { folder, text: stdout };
    throw Object.assign(new Error(), { stderr });
  } catch (error) {
    const { stderr = String(error) } = error as { stderr?: string };
    const problem = stderr.trim().replaceAll(`${root}/`, '').replaceAll(/\s+/g, ' ');
    return { folder, text: '', problem };
  }
}

/** Renders folders, by default all that are applied. */
export async function renderFolders(
  kustomize: string,
  root: string,
  folders?: readonly string[],
): Promise<Rendering[]> {
  const renderings: Rendering[] = [];
  const waiting = [...(folders ?? (await overlayFolders(root)))];
  const worker = async (): Promise<void> => {
    for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
      renderings.push(await renderFolder(kustomize, root, folder));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return renderings.toSorted((one, other) => (one.folder < other.folder ? -1 : 1));
}

/** Reads strictly what a folder renders to. */
export function readRendering({ folder, text, problem }: Rendering): Render {
  if (problem !== undefined) {
    const finding = {
      where: folder,
      object: 'kustomization.yaml',
      field: 'build',
      problem: `kustomize cannot render it: ${problem}`,
      fix: 'Correct what kustomize names.',
    };
    return { folder, objects: [], findings: [finding] };
  }
  // What the YAML versions read differently is looked for in the files; kustomize quotes it.
  const { values, faults } = readYaml(text, { ambiguous: 'taken' });
  const findings = faults.map(({ line, problem: fault, fix }) => ({
    where: folder,
    object: 'the rendered text',
    field: `line ${line}`,
    problem: fault,
    fix,
  }));
  return { folder, objects: values as KubernetesObject[], findings };
}
