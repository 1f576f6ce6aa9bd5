import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Finding } from './finding.js';
import type { KubernetesObject } from './objects.js';
import type { Render } from './render.js';
import { readYaml } from './yaml.js';

/** What of a kustomization.yaml is looked at here. */
interface Kustomization {
  resources?: string[];
  components?: string[];
  patches?: Patch[];
  images?: Image[];
}

interface Image {
  name: string;
  newName?: string;
  newTag?: string;
  digest?: string;
}

interface Patch {
  path?: string;
  patch?: string;
  target?: Target;
}

interface Target {
  group?: string;
  version?: string;
  kind?: string;
  name?: string;
  namespace?: string;
  labelSelector?: string;
}

const yamlFile = /\.ya?ml$/;

/**
 * What is wrong with the files as they are written: kustomize merges keys that are there twice in a patch, and passes over
 * patches and images that match nothing.
 */
export async function sourceFindings(root: string, renders: readonly Render[]): Promise<Finding[]> {
  const files = (await readdir(join(root, 'k8s'), { recursive: true }))
    .filter((file) => yamlFile.test(file))
    .map((file) => join('k8s', file))
    .toSorted();
  const read = await Promise.all(
    files.map(async (file) => fileFindings(file, await readFile(join(root, file), 'utf8'))),
  );
  const rendered = renders.filter(({ findings }) => findings.length === 0);
  return [...read.flat(), ...(await unmatched(root, rendered))];
}

function fileFindings(file: string, text: string): Finding[] {
  const { values, faults } = readYaml(text);
  const found = faults.map(({ line, problem, fix }) => at(file, `line ${line}`, problem, fix));
  for (const value of values) {
    for (const [index, { patch }] of ((value as Kustomization).patches ?? []).entries()) {
      if (typeof patch !== 'string') continue;
      for (const { line, problem, fix } of readYaml(patch).faults) {
        found.push(at(file, `patches[${index}].patch, line ${line}`, problem, fix));
      }
    }
  }
  return found;
}

function at(file: string, field: string, problem: string, fix: string): Finding {
  return { where: file, object: 'the file', field, problem, fix };
}

/** A patch or an image of a kustomization, and whether it matches in one of the folders that are rendered from it. */
interface Entry {
  matched: boolean;
  finding: Finding;
}

/** The patches and images that match nothing, in none of the folders that are rendered from their kustomization. */
async function unmatched(root: string, renders: readonly Render[]): Promise<Finding[]> {
  const entries = new Map<string, Entry>();
  for (const { folder, objects } of renders) {
    const text = JSON.stringify(objects);
    for (const [file, { patches = [], images = [] }] of await kustomizationsOf(root, folder)) {
      const note = (field: string, matched: boolean, problem: string, fix: string): void => {
        const key = `${file} ${field}`;
        const before = entries.get(key)?.matched ?? false;
        entries.set(key, { matched: before || matched, finding: at(file, field, problem, fix) });
      };
      for (const [index, { target }] of patches.entries()) {
        if (!target) continue;
        note(
          `patches[${index}].target`,
          objects.some((object) => matches(target, object)),
          `No object matches ${JSON.stringify(target)}, so the patch does nothing.`,
          'Correct the target, or remove the patch.',
        );
      }
      for (const [index, image] of images.entries()) {
        const wanted = imageText(image);
        note(
          `images[${index}].name`,
          text.includes(JSON.stringify(wanted)),
          `No container has the image ${image.name}, so ${wanted} is set nowhere.`,
          'Write the name that the Deployment has, or remove the entry.',
        );
      }
    }
  }
  return [...entries.values()].filter(({ matched }) => !matched).map(({ finding }) => finding);
}

function imageText({ name, newName = name, newTag, digest }: Image): string {
  const tag = newTag === undefined ? '' : `:${newTag}`;
  return `${newName}${tag}${digest === undefined ? '' : `@${digest}`}`;
}

/** All kustomizations that a folder is made from, by their file. */
async function kustomizationsOf(
  root: string,
  folder: string,
  found = new Map<string, Kustomization>(),
): Promise<Map<string, Kustomization>> {
  const file = join(folder, 'kustomization.yaml');
  if (found.has(file)) return found;
  const [kustomization] = readYaml(await readFile(join(root, file), 'utf8')).values;
  const each = (kustomization ?? {}) as Kustomization;
  found.set(file, each);
  for (const reference of [...(each.resources ?? []), ...(each.components ?? [])]) {
    const path = join(root, dirname(file), reference);
    if ((await stat(path)).isDirectory()) {
      await kustomizationsOf(root, relative(root, path), found);
    }
  }
  return found;
}

const covers = (pattern: string | undefined, text: string): boolean =>
  pattern === undefined || pattern === '' || new RegExp(`^(?:${pattern})$`).test(text);

/** As kustomize matches: regular expressions that cover the whole name. */
function matches(target: Target, { apiVersion, kind, metadata }: KubernetesObject): boolean {
  const [version = '', group = ''] = apiVersion.split('/').toReversed();
  return (
    covers(target.group, group) &&
    covers(target.version, version) &&
    covers(target.kind, kind) &&
    covers(target.name, metadata.name) &&
    covers(target.namespace, metadata.namespace ?? 'default') &&
    (target.labelSelector ?? '')
      .split(',')
      .filter(Boolean)
      .every((pair) => {
        const [, label = '', sign, value] = /^([^!=]+)(?:(!?=)=?(.*))?$/.exec(pair) ?? [];
        const actual = metadata.labels?.[label];
        if (sign === undefined) return actual !== undefined;
        return sign === '=' ? actual === value : actual !== value;
      })
  );
}
