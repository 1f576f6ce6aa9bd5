import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appNames, workspaceRoot } from '@mentorhub/local-system';
import { beforeEach, describe, expect, inject, it } from 'vitest';
import type { Finding } from '../src/finding.js';
import { readRendering, renderFolders } from '../src/render.js';
import { sourceFindings } from '../src/sources.js';
import { readYaml } from '../src/yaml.js';

const kustomize = inject('kustomize');

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mentorhub-k8s-'));
  await cp(join(workspaceRoot, 'k8s'), join(root, 'k8s'), { recursive: true });
  return () => rm(root, { recursive: true, force: true });
});

async function edit(file: string, change: (text: string) => string): Promise<void> {
  const path = join(root, 'k8s', file);
  const text = await readFile(path, 'utf8');
  const changed = change(text);
  expect(changed).not.toBe(text);
  await writeFile(path, changed);
}

/** One app will do: its folder is made from everything that the apps share. */
async function findings(): Promise<Finding[]> {
  const folders = ['k8s/overlays/production/chat', 'k8s/overlays/small/chat'];
  const renders = (await renderFolders(kustomize, root, folders)).map(readRendering);
  return [
    ...renders.flatMap((render) => render.findings),
    ...(await sourceFindings(root, renders)),
  ];
}

describe('a mistake in a file', () => {
  it.each<[string, string, (text: string) => string, Partial<Finding>]>([
    [
      'a field that is there twice in an object',
      'apps/chat/service.yaml',
      (text) => text.replace('  clusterIP: None', '  clusterIP: None\n  clusterIP: None'),
      { where: 'k8s/apps/chat/service.yaml', problem: 'Map keys must be unique.' },
    ],
    [
      'a field that is there twice in a patch',
      'components/app/deployment.yaml',
      (text) => text.replace(/^( *)minReadySeconds: 5$/m, '$&\n$1minReadySeconds: 6'),
      { where: 'k8s/components/app/deployment.yaml', problem: 'Map keys must be unique.' },
    ],
    [
      'a field that is there twice in a patch within a kustomization',
      'overlays/small/common/kustomization.yaml',
      (text) => text.replace('op: test,', 'op: test, op: add,'),
      {
        where: 'k8s/overlays/small/common/kustomization.yaml',
        problem: 'Map keys must be unique.',
      },
    ],
    [
      'an object that is there twice',
      'apps/chat/service-account.yaml',
      (text) => `${text}---\n${text}`,
      { where: 'k8s/overlays/production/chat', object: 'kustomization.yaml', field: 'build' },
    ],
    [
      'a misspelt field of a kustomization',
      'apps/chat/kustomization.yaml',
      (text) => `${text}namePrefx: x\n`,
      { where: 'k8s/overlays/small/chat', object: 'kustomization.yaml', field: 'build' },
    ],
    [
      'a file that is not there',
      'apps/chat/kustomization.yaml',
      (text) => text.replace('service.yaml', 'servce.yaml'),
      { where: 'k8s/overlays/small/chat', object: 'kustomization.yaml', field: 'build' },
    ],
    [
      'a patch for a kind that is not there',
      'components/app/kustomization.yaml',
      (text) => text.replace('kind: Deployment', 'kind: Deploymnt'),
      { where: 'k8s/components/app/kustomization.yaml', field: 'patches[0].target' },
    ],
    [
      'a tag for an image that no container has',
      'overlays/production/chat/kustomization.yaml',
      (text) => text.replace('name: mentorhub/chat', 'name: mentorhub/chatt'),
      { where: 'k8s/overlays/production/chat/kustomization.yaml', field: 'images[0].name' },
    ],
    [
      'a mode of a file that YAML 1.1 reads as octal and YAML 1.2 does not',
      'apps/chat/deployment.yaml',
      (text) => text.replace('secretName: chat', 'secretName: chat\n            defaultMode: 0440'),
      {
        where: 'k8s/apps/chat/deployment.yaml',
        problem: expect.stringMatching(/defaultMode is something else in YAML 1\.1/) as string,
      },
    ],
    [
      'a word that YAML 1.1 reads as true',
      'overlays/production/common/config.yaml',
      (text) => `${text}  WS_QUERY_TOKEN: on\n`,
      {
        where: 'k8s/overlays/production/common/config.yaml',
        problem: expect.stringMatching(/WS_QUERY_TOKEN is something else in YAML 1\.1/) as string,
      },
    ],
  ])('is found: %s', async (_title, file, change, expected) => {
    await edit(file, change);
    const found = await findings();
    expect(found).toContainEqual(expect.objectContaining(expected));
    for (const { fix } of found) expect(fix).toMatch(/\.$/);
  });

  it('is found in its line', () => {
    expect(readYaml('a: 1\nb:\n  c: 1\n  c: 2\n').faults).toEqual([
      { line: 4, problem: 'Map keys must be unique.', fix: 'Remove one of the two.' },
    ]);
  });
});

const withoutTags = (text: string): string =>
  text.replaceAll(/( image: mentorhub\/[\w-]+):\S+$/gm, '$1');

describe("changing one app's tag", () => {
  it("changes that app's render alone", async () => {
    const before = inject('renderings');
    // All at once: what another folder takes over from an app shows by the number, which is the app's own.
    const tags = new Map<string, string>();
    for (const overlay of ['production', 'small']) {
      for (const [index, app] of appNames.entries()) {
        const tag = `${overlay === 'small' ? 8 : 9}.0.${index}`;
        await edit(`overlays/${overlay}/${app}/kustomization.yaml`, (text) =>
          text.replace(/newTag: .*/, `newTag: ${tag}`),
        );
        tags.set(tag, `k8s/overlays/${overlay}/${app}`);
      }
    }
    const after = await renderFolders(kustomize, root);
    expect(after).toHaveLength(before.length);
    for (const [index, { folder, text }] of after.entries()) {
      const images = [...text.matchAll(/ image: mentorhub\/([\w-]+):([89]\.0\.\d+)$/gm)];
      const expected = [...tags].filter(([, each]) => `${each}/`.startsWith(`${folder}/`));
      expect([folder, new Set(images.map(([, , tag]) => tag))]).toEqual([
        folder,
        new Set(expected.map(([tag]) => tag)),
      ]);
      for (const [, app, tag] of images) expect(tags.get(tag!)).toMatch(new RegExp(`/${app}$`));
      expect(withoutTags(text)).toBe(withoutTags(before[index]!.text));
    }
  });
});
