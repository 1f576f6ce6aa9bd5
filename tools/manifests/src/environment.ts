import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import { type App, knownVariables, sampleSecret, withCertificateFile } from './apps.js';
import type { FieldPath, KubernetesObject } from './objects.js';
import { ofKind } from './workloads.js';

/** A variable of a container. */
export interface SetVariable {
  name: string;
  /** Undefined where only the cluster knows it: from a Secret, or a field of the pod. */
  value: string | undefined;
  /** The object that has it. */
  object: KubernetesObject;
  path: FieldPath;
}

/** A ConfigMap that a container takes its variables from and that is not there. */
export interface MissingMap {
  name: string;
  path: FieldPath;
}

/** The variables of a container. What is set later in the list wins, as Kubernetes has it. */
export function variablesOf(
  objects: readonly KubernetesObject[],
  owner: KubernetesObject,
  container: IContainer,
  path: FieldPath,
): { variables: Map<string, SetVariable>; missing: MissingMap[] } {
  const variables = new Map<string, SetVariable>();
  const missing: MissingMap[] = [];
  for (const [index, { configMapRef, prefix = '' }] of (container.envFrom ?? []).entries()) {
    if (!configMapRef?.name) continue;
    const object = ofKind(objects, 'ConfigMap').find(
      ({ metadata }) => metadata.name === configMapRef.name,
    );
    if (!object) {
      missing.push({ name: configMapRef.name, path: [...path, 'envFrom', index] });
      continue;
    }
    for (const [key, value] of Object.entries((object['data'] ?? {}) as Record<string, string>)) {
      const name = `${prefix}${key}`;
      variables.set(name, { name, value, object, path: ['data', key] });
    }
  }
  for (const [index, { name, value, valueFrom }] of (container.env ?? []).entries()) {
    variables.set(name, {
      name,
      value: valueFrom ? undefined : (value ?? ''),
      object: owner,
      path: [...path, 'env', index],
    });
  }
  return { variables, missing };
}

/** A file that a container sees, and the Secret that has it. */
export interface MountedFile {
  /** Any of these may have it. */
  secrets: string[];
  /** In the Secret. */
  key: string;
}

/** Where a file of a container comes from. Undefined where no Secret is mounted there. */
export function mountedFile(
  pod: IPodSpec,
  container: IContainer,
  file: string,
): MountedFile | undefined {
  const mount = (container.volumeMounts ?? [])
    .filter(({ mountPath }) => file.startsWith(`${mountPath}/`))
    .toSorted((one, other) => other.mountPath.length - one.mountPath.length)[0];
  if (!mount) return undefined;
  const inVolume = file.slice(mount.mountPath.length + 1);
  const volume = pod.volumes?.find(({ name }) => name === mount.name);
  const sources = [
    ...(volume?.secret ? [{ name: volume.secret.secretName, items: volume.secret.items }] : []),
    ...(volume?.projected?.sources ?? []).flatMap(({ secret }) => (secret ? [secret] : [])),
  ];
  const found = sources.flatMap(({ name, items }) => {
    const key = items ? items.find((item) => item.path === inVolume)?.key : inVolume;
    return name === undefined || key === undefined ? [] : [{ name, key }];
  });
  const [first] = found;
  return first && { secrets: found.map(({ name }) => name), key: first.key };
}

/** What reading ended with, by the app and what it read: each app is in several folders and asked about by several rules. */
const readings = new Map<string, { config: Record<string, unknown> } | { error: unknown }>();

/**
 * What an app reads from these variables, with samples instead of secrets.
 *
 * @throws ConfigurationError as the app does
 */
export function configurationOf(
  app: App,
  variables: ReadonlyMap<string, SetVariable>,
): Record<string, unknown> {
  const environment = Object.fromEntries(
    [...variables.values()].map(({ name, value = '' }) => [name, value]),
  );
  const key = JSON.stringify([app.name, environment]);
  const reading = readings.get(key) ?? read(app, environment);
  readings.set(key, reading);
  if ('error' in reading) throw reading.error;
  return reading.config;
}

function read(
  app: App,
  given: Readonly<Record<string, string>>,
): { config: Record<string, unknown> } | { error: unknown } {
  const known = knownVariables(app);
  return withCertificateFile((certificate) => {
    const environment: Record<string, string> = {};
    for (const [name, value] of Object.entries(given)) {
      const variable = known.get(name);
      if (variable?.file === true) {
        environment[name.replace(/_FILE$/, '')] = sampleSecret(app, variable.declared);
      } else {
        environment[name] = variable?.declared === 'NATS_CA_FILE' ? certificate : value;
      }
    }
    try {
      return { config: app.readConfig(environment) };
    } catch (error) {
      return { error };
    }
  });
}
