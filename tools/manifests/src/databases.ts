import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IServiceSpec } from 'kubernetes-models/v1/ServiceSpec';
import { type App, knownVariables } from './apps.js';
import { mountedFile, variablesOf } from './environment.js';
import type { FieldPath, KubernetesObject } from './objects.js';
import type { Subject } from './rules/rule.js';
import { secretsOf } from './secrets.js';
import { ofKind, selects, type Workload, workloadsOf } from './workloads.js';

/** Variables with the address of a service's database. */
export const databaseVariables = ['DATABASE_URL', 'DATABASE_DIRECT_URL', 'MIGRATION_DATABASE_URL'];

/** The address of a database, as a container of an app reads it. */
export interface DatabaseAddress {
  /** `DATABASE_URL`. */
  variable: string;
  container: IContainer;
  initial: boolean;
  text: string;
  /** What makes the Secret, and where the address is in it. */
  object: KubernetesObject;
  path: FieldPath;
}

/** The addresses that the containers of an app read from Secrets. */
export function databaseAddresses(
  { objects, overlay, beside }: Pick<Subject, 'objects' | 'overlay' | 'beside'>,
  workload: Workload,
  app: App,
): DatabaseAddress[] {
  const secrets = secretsOf(overlay, beside);
  const known = knownVariables(app);
  return workload.containers.flatMap(({ container, path: place, initial }) =>
    [...variablesOf(objects, workload.object, container, place).variables.values()].flatMap(
      ({ name, value }) => {
        const { declared = '', file = false } = known.get(name) ?? {};
        if (!file || value === undefined || !databaseVariables.includes(declared)) return [];
        const mounted = mountedFile(workload.pod, container, value);
        const entry = mounted?.secrets
          .map((secret) => secrets.get(secret)?.get(mounted.key))
          .find((each) => each !== undefined);
        if (entry?.text === undefined) return [];
        const { text, object, path } = entry;
        return [{ variable: declared, container, initial, text: text.trim(), object, path }];
      },
    ),
  );
}

/** A server of PostgreSQL in an overlay. */
export interface DatabaseServer {
  object: KubernetesObject;
  ports: number[];
  /** Where `max_connections` is said. */
  path: FieldPath;
  maxConnections: number;
  /** What CloudNativePG makes. Undefined for a server whose scripts make its databases. */
  cluster?: {
    database: string | undefined;
    owner: string | undefined;
    /** Roles beside the owner. */
    roles: string[];
    tlsSecret: string | undefined;
  };
}

interface ClusterSpec {
  bootstrap?: Record<'initdb' | 'recovery', { database?: string; owner?: string } | undefined>;
  managed?: { roles?: { name: string; ensure?: string }[] };
  certificates?: { serverTLSSecret?: string };
  postgresql?: { parameters?: Record<string, string> };
}

/** The server that takes writes at a host: a cluster of CloudNativePG, or the pods behind a Service. */
export function databaseServer(
  overlay: readonly KubernetesObject[],
  host: string,
): DatabaseServer | undefined {
  const isAt = ({ metadata: { namespace } }: KubernetesObject, service: string): boolean =>
    [service, `${service}.${namespace}`, `${service}.${namespace}.svc`].includes(host);
  const cluster = ofKind(overlay, 'Cluster').find((each) => isAt(each, `${each.metadata.name}-rw`));
  if (cluster) return clusterServer(cluster);
  const service = ofKind(overlay, 'Service').find((each) => isAt(each, each.metadata.name));
  const { selector, ports = [] } = (service?.['spec'] ?? {}) as IServiceSpec;
  if (!selector) return undefined;
  const server = workloadsOf(overlay).find(({ labels }) =>
    selects({ matchLabels: selector }, labels),
  );
  const main = server?.containers.find(({ initial }) => !initial);
  if (!server || !main) return undefined;
  const setting = main.container.args?.find((each) => each.startsWith('max_connections='));
  return {
    object: server.object,
    ports: ports.map(({ port }) => port),
    path: [...main.path, 'args'],
    // PostgreSQL's own default.
    maxConnections: Number(setting?.split('=')[1] ?? 100),
  };
}

function clusterServer(object: KubernetesObject): DatabaseServer {
  const { bootstrap, managed, certificates, postgresql } = object['spec'] as ClusterSpec;
  const { database, owner } = bootstrap?.initdb ?? bootstrap?.recovery ?? {};
  return {
    object,
    ports: [5432],
    path: ['spec', 'postgresql', 'parameters', 'max_connections'],
    maxConnections: Number(postgresql?.parameters?.['max_connections'] ?? 100),
    cluster: {
      database,
      owner,
      roles: (managed?.roles ?? [])
        .filter(({ ensure }) => ensure !== 'absent')
        .map(({ name }) => name),
      tlsSecret: certificates?.serverTLSSecret,
    },
  };
}
