import { describe, expect, inject, it } from 'vitest';
import { readApps } from '../src/apps.js';
import { readRendering } from '../src/render.js';
import { rules } from '../src/rules/index.js';
import { appliedBeside, readSecrets } from '../src/secrets.js';
import { findObject } from './mutation.js';

/** That CloudNativePG knows every field of it, manifests.spec.ts checks. */
describe('the cluster that docs/operations.md restores', () => {
  const { objects, findings } = readRendering(inject('restored'));
  const cluster = findObject(objects, 'Cluster', 'identity-db');

  it('is rendered', () => {
    expect(findings).toEqual([]);
  });

  it('names what is there, and is reached as before', async () => {
    const production = inject('renderings')
      .map(readRendering)
      .find((each) => each.folder === 'k8s/overlays/production')!.objects;
    const overlay = production.map((object) =>
      object.kind === 'Cluster' && object.metadata.name === 'identity-db' ? cluster : object,
    );
    const beside = appliedBeside(overlay, readSecrets(inject('secrets')));
    const apps = await readApps();
    for (const rule of ['referencesExist', 'databasesAreThere', 'resources']) {
      expect(rules[rule]!({ objects: overlay, overlay, beside, apps })).toEqual([]);
    }
  });

  it('reads the archive of before and writes to another one', () => {
    const { externalClusters, plugins, bootstrap } = cluster['spec'] as {
      externalClusters: { name: string; plugin: { parameters: { serverName: string } } }[];
      plugins: { parameters: { serverName: string } }[];
      bootstrap: { recovery: { source: string } };
    };
    expect(Object.keys(bootstrap)).toEqual(['recovery']);
    const source = externalClusters.find(({ name }) => name === bootstrap.recovery.source);
    expect(source?.plugin.parameters.serverName).toBe('identity-db');
    expect(plugins.map(({ parameters }) => parameters.serverName)).toEqual(['identity-db-2']);
  });
});
