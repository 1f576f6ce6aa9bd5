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

/** What one folder renders to. */
export interface Render {
  /** From the root of the workspace: `k8s/overlays/production/chat`. */
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

/** What kustomize makes of a folder. @throws Error with what it says, warnings included */
export async function renderText(kustomize: string, root: string, folder: string): Promise<string> {
  try {
    const { stdout, stderr } = await run(kustomize, ['build', join(root, folder)], {
      maxBuffer: 64 * 1024 ** 2,
    });
    if (stderr.trim() === '') return stdout;
    throw Object.assign(new Error(), { stderr });
  } catch (error) {
    const { stderr = String(error) } = error as { stderr?: string };
    throw new Error(stderr.trim().replaceAll(`${root}/`, '').replaceAll(/\s+/g, ' '), {
      cause: error,
    });
  }
}

/** Renders a folder, and reads strictly what it renders to. */
export async function render(kustomize: string, root: string, folder: string): Promise<Render> {
  let text: string;
  try {
    text = await renderText(kustomize, root, folder);
  } catch (error) {
    return { folder, objects: [], findings: [cannotRender(folder, (error as Error).message)] };
  }
  const { values, faults } = readYaml(text);
  const findings = faults.map(({ line, problem, fix }) => ({
    where: folder,
    object: 'the rendered text',
    field: `line ${line}`,
    problem,
    fix,
  }));
  return { folder, objects: values as KubernetesObject[], findings };
}

function cannotRender(folder: string, problem: string): Finding {
  return {
    where: folder,
    object: 'kustomization.yaml',
    field: 'build',
    problem: `kustomize cannot render it: ${problem}`,
    fix: 'Correct what kustomize names.',
  };
}

/** Renders folders, by default all that are applied. */
export async function renderAll(
  kustomize: string,
  root: string,
  folders?: readonly string[],
): Promise<Render[]> {
  const renders: Render[] = [];
  const waiting = [...(folders ?? (await overlayFolders(root)))];
  const worker = async (): Promise<void> => {
    for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
      renders.push(await render(kustomize, root, folder));
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return renders.toSorted((one, other) => (one.folder < other.folder ? -1 : 1));
}
