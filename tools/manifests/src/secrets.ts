import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { FieldPath, KubernetesObject } from './objects.js';
import { ofKind } from './workloads.js';
import { readYaml } from './yaml.js';

const run = promisify(execFile);

/** What `k8s/secrets` prints, as text. */
export interface PrintedSecrets {
  /** For overlays that make no Secrets. */
  all: string;
  /** For those that make them: with `--keys`. */
  keys: string;
}

/** What is applied beside an overlay. */
export interface AppliedSecrets {
  all: readonly KubernetesObject[];
  keys: readonly KubernetesObject[];
}

/** Makes secrets as for an installation, in a folder that is gone afterwards, and has `k8s/secrets` print them. */
export async function printSecrets(root: string): Promise<PrintedSecrets> {
  const folder = await mkdtemp(join(tmpdir(), 'mentorhub-secrets-'));
  try {
    await run(join(root, 'deploy', 'compose', 'secrets'), [folder]);
    // The only one that somebody else makes.
    await writeFile(join(folder, 'sendgrid-api-key'), 'sample\n');
    const print = async (...options: string[]): Promise<string> =>
      (await run(join(root, 'k8s', 'secrets'), [...options, folder])).stdout;
    const [all, keys] = await Promise.all([print(), print('--keys')]);
    return { all, keys };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The objects of what `k8s/secrets` prints. */
export function readSecrets({ all, keys }: PrintedSecrets): AppliedSecrets {
  return { all: objectsOf(all), keys: objectsOf(keys) };
}

function objectsOf(text: string): KubernetesObject[] {
  return readYaml(text).values as KubernetesObject[];
}

/** What is applied beside this overlay: one that makes its Secrets needs the public keys alone. */
export function appliedBeside(
  overlay: readonly KubernetesObject[],
  { all, keys }: AppliedSecrets,
): readonly KubernetesObject[] {
  return ofKind(overlay, 'ExternalSecret').length > 0 ? keys : all;
}

/** What a Secret has under a key. */
export interface SecretEntry {
  /** With `secret` in the place of each value that only the secret manager knows. Undefined where all of it is such a value. */
  text: string | undefined;
  /** The object that makes it, and the field. */
  object: KubernetesObject;
  path: FieldPath;
}

/** The entries of Secrets, by the name of the Secret and the key. */
export type Secrets = ReadonlyMap<string, ReadonlyMap<string, SecretEntry>>;

/** The Secrets that an overlay has: made by its ExternalSecrets and Certificates, and applied beside it. */
export function secretsOf(
  overlay: readonly KubernetesObject[],
  beside: readonly KubernetesObject[],
): Secrets {
  const secrets = new Map<string, ReadonlyMap<string, SecretEntry>>();
  for (const object of ofKind(overlay, 'ExternalSecret')) {
    const { target, data = [] } = object['spec'] as {
      target?: { name?: string; template?: { data?: Record<string, string> } };
      data?: { secretKey: string }[];
    };
    const template = target?.template?.data;
    const entries = template
      ? Object.entries(template).map(([key, text]): [string, SecretEntry] => [
          key,
          {
            text: text.replaceAll(/\{\{[^}]*\}\}/g, 'secret'),
            object,
            path: ['spec', 'target', 'template', 'data', key],
          },
        ])
      : data.map(({ secretKey }, index): [string, SecretEntry] => [
          secretKey,
          { text: undefined, object, path: ['spec', 'data', index, 'secretKey'] },
        ]);
    secrets.set(target?.name ?? object.metadata.name, new Map(entries));
  }
  for (const object of ofKind(overlay, 'Certificate')) {
    const { secretName } = object['spec'] as { secretName: string };
    const entry = { text: undefined, object, path: ['spec', 'secretName'] };
    const keys = ['tls.crt', 'tls.key', 'ca.crt'];
    secrets.set(secretName, new Map(keys.map((key) => [key, entry])));
  }
  for (const object of ofKind(beside, 'Secret')) {
    const entries = Object.entries((object['data'] ?? {}) as Record<string, string>);
    secrets.set(
      object.metadata.name,
      new Map(
        entries.map(([key, value]) => [
          key,
          { text: Buffer.from(value, 'base64').toString(), object, path: ['data', key] },
        ]),
      ),
    );
  }
  return secrets;
}
