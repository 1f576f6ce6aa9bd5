import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { KubernetesObject } from './objects.js';

/** What describes the fields of a kind. */
export interface Model {
  /** What TypeScript imports its interface from, and Node its class. */
  specifier: string;
  /** The name of the interface: `IDeployment`. */
  type: string;
}

/** A class of the packages: it takes an object and says what its schema does not allow. */
type ModelClass = new (data: unknown) => { validate(): void };

/** The packages with the kinds that operators bring, by API group. Kubernetes' own are in `kubernetes-models`. */
const packages: Record<string, string> = {
  'cert-manager.io': '@kubernetes-models/cert-manager',
  'external-secrets.io': '@kubernetes-models/external-secrets',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
  'postgresql.cnpg.io': '@kubernetes-models/cloudnative-pg',
};

/** Kinds without a package. */
const own: Record<string, string> = {
  'barmancloud.cnpg.io/v1 ObjectStore': './models/object-store.js',
};

/** The model of an object's kind. Undefined where there is none: its fields cannot be checked. */
export function modelOf({ apiVersion, kind }: KubernetesObject): Model | undefined {
  const type = `I${kind}`;
  const ownFile = own[`${apiVersion} ${kind}`];
  if (ownFile !== undefined) {
    return { specifier: fileURLToPath(new URL(ownFile, import.meta.url)), type };
  }
  if (!/^[\w./-]+$/.test(apiVersion) || !/^[A-Z]\w+$/.test(kind)) return undefined;
  const [group = ''] = apiVersion.split('/');
  const specifier = `${packages[group] ?? 'kubernetes-models'}/${apiVersion}/${kind}`;
  try {
    return existsSync(fileURLToPath(import.meta.resolve(specifier)))
      ? { specifier, type }
      : undefined;
  } catch {
    return undefined;
  }
}

/** The class of a model. */
export async function modelClass({ specifier, type }: Model): Promise<ModelClass> {
  const exported = (await import(specifier)) as Record<string, ModelClass>;
  const found = exported[type.slice(1)];
  if (!found) throw new Error(`${specifier} exports no ${type.slice(1)}`);
  return found;
}
