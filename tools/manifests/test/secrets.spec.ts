import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { appNames, workspaceRoot } from '@mentorhub/local-system';
import { fromPublic, fromSeed } from '@nats-io/nkeys';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { knownVariables, readApps } from '../src/apps.js';
import { mountedFile, variablesOf } from '../src/environment.js';
import type { KubernetesObject } from '../src/objects.js';
import { readRendering } from '../src/render.js';
import { secretFilesAreMounted } from '../src/rules/configuration.js';
import { typeFaults } from '../src/typed.js';
import { workloadsOf } from '../src/workloads.js';
import { readYaml } from '../src/yaml.js';
import { findObject, remove } from './mutation.js';

const run = promisify(execFile);
const small = inject('renderings')
  .map(readRendering)
  .find(({ folder }) => folder === 'k8s/overlays/small')!.objects;

/** What `k8s/secrets` prints. */
const secrets = async (...parameters: string[]): Promise<KubernetesObject[]> => {
  const { stdout } = await run(join(workspaceRoot, 'k8s/secrets'), parameters);
  const { values, faults } = readYaml(stdout);
  expect(faults).toEqual([]);
  return values as KubernetesObject[];
};

/** `k8s/secrets` makes the Secrets of the overlay `small` from the files of `deploy/compose/secrets`. */
describe('k8s/secrets', () => {
  let folder: string;
  let made: KubernetesObject[];
  const apps = readApps();

  const textOf = (secret: string, key: string): string => {
    const { data } = findObject(made, 'Secret', secret) as unknown as {
      data: Record<string, string>;
    };
    return Buffer.from(data[key] ?? '', 'base64').toString('utf8');
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mentorhub-secrets-'));
    await run(join(workspaceRoot, 'deploy/compose/secrets'), [folder]);
    await writeFile(join(folder, 'sendgrid-api-key'), 'a-key-of-sendgrid\n');
    made = await secrets(folder);
  }, 60_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('prints objects that Kubernetes knows', async () => {
    const faults = await typeFaults(made);
    expect([...faults.values()].flat()).toEqual([]);
  });

  it('makes every key that the apps of the overlay mount, with values that they take', async () => {
    const subject = { objects: small, overlay: small, beside: made, apps: await apps };
    expect(secretFilesAreMounted(subject)).toEqual([]);

    const read: string[] = [];
    for (const { object, labels, pod, containers } of workloadsOf(small)) {
      const app = (await apps).get(labels['app.kubernetes.io/name'] ?? '');
      if (!app) continue;
      for (const { container, path } of containers) {
        const environment: Record<string, string> = {};
        for (const { name, value = '' } of variablesOf(
          small,
          object,
          container,
          path,
        ).variables.values()) {
          const mounted = mountedFile(pod, container, value);
          const secret = mounted?.secrets.find((each) => textOf(each, mounted.key) !== '');
          if (knownVariables(app).get(name)?.file === true && mounted && secret) {
            environment[name.replace(/_FILE$/, '')] = textOf(secret, mounted.key);
          } else environment[name] = value;
        }
        expect(Object.keys(environment).filter((name) => name.endsWith('_FILE'))).toEqual([]);
        expect(() => app.readConfig(environment)).not.toThrow();
        read.push(app.name);
      }
    }
    expect(new Set(read)).toEqual(new Set(appNames));
  });

  it('is found to make too little when a key is missing', async () => {
    const spoilt = structuredClone(made);
    remove(findObject(spoilt, 'Secret', 'identity'), ['data', 'secret-key']);
    const faults = secretFilesAreMounted({
      objects: small,
      overlay: small,
      beside: spoilt,
      apps: await apps,
    });
    expect(faults.map(({ problem }) => problem)).toEqual([
      'No Secret identity or identity-migration with the key secret-key is made for this overlay.',
      'No Secret identity with the key secret-key is made for this overlay.',
    ]);
  });

  it('gives the servers of NATS the public key of the seed that each app has', () => {
    const { data: keys } = findObject(made, 'ConfigMap', 'nats-keys') as unknown as {
      data: Record<string, string>;
    };
    const nonce = new TextEncoder().encode('a nonce of the server');
    for (const app of appNames) {
      const seed = fromSeed(new TextEncoder().encode(textOf(app, 'nats-nkey-seed')));
      const key = fromPublic(keys[`NATS_NKEY_${app.toUpperCase().replaceAll('-', '_')}`]!);
      expect(key.verify(nonce, seed.sign(nonce))).toBe(true);
    }
    expect(Object.keys(keys)).toHaveLength(appNames.length);
  });

  it('gives PostgreSQL the passwords that are in the addresses of the services', () => {
    for (const service of ['identity', 'mentorship', 'chat', 'notifications', 'payments']) {
      const own = new URL(textOf(service, 'database-url'));
      const owner = new URL(textOf(`${service}-migration`, 'migration-database-url'));
      expect(own.password).toBe(textOf('postgres', `${service}-password`));
      expect(owner.password).toBe(textOf('postgres', `${service}-owner-password`));
      expect([own.username, owner.username]).toEqual([service, `${service}_owner`]);
      expect([own.pathname, owner.pathname]).toEqual([`/${service}`, `/${service}`]);
      expect([own.host, owner.host]).toEqual(['postgres:5432', 'postgres:5432']);
    }
    expect(textOf('postgres', 'postgres-password')).not.toBe('');
  });

  it('prints the public keys alone where they are asked for', async () => {
    const keys = await secrets('--keys', folder);
    expect(keys).toEqual([findObject(made, 'ConfigMap', 'nats-keys')]);
  });

  it('names a missing file and prints nothing', async () => {
    const other = await mkdtemp(join(tmpdir(), 'mentorhub-secrets-'));
    for (const name of await readdir(folder)) {
      if (name !== 'database-url-chat') {
        await run('cp', [join(folder, name), join(other, name)]);
      }
    }
    await expect(run(join(workspaceRoot, 'k8s/secrets'), [other])).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('database-url-chat is missing') as string,
    });
    await rm(other, { recursive: true, force: true });
  });
});
