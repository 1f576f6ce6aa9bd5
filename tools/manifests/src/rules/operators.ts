import type { FieldPath, KubernetesObject } from '../objects.js';
import { ofKind } from '../workloads.js';

/** What an object of an operator names. */
export interface Reference {
  object: KubernetesObject;
  path: FieldPath;
  kind: string;
  name: string;
  /** What it reads, of a Secret. */
  keys?: readonly string[];
}

/** What objects of the operators name: an operator reports it in its log and the object's status, long after an apply. */
export function operatorReferences(objects: readonly KubernetesObject[]): Reference[] {
  const of = (kind: string, references: (object: KubernetesObject) => Reference[]): Reference[] =>
    ofKind(objects, kind).flatMap(references);
  return [
    ...of('Cluster', ofCluster),
    ...of('ScheduledBackup', (object) => {
      const { cluster } = object['spec'] as { cluster: { name: string } };
      return [{ object, path: ['spec', 'cluster', 'name'], kind: 'Cluster', name: cluster.name }];
    }),
    ...of('ObjectStore', ofObjectStore),
    ...of('Certificate', (object) => {
      const { issuerRef } = object['spec'] as { issuerRef: { kind?: string; name: string } };
      // One for the whole cluster is not the overlay's.
      return (issuerRef.kind ?? 'Issuer') === 'Issuer'
        ? [{ object, path: ['spec', 'issuerRef', 'name'], kind: 'Issuer', name: issuerRef.name }]
        : [];
    }),
    ...of('Issuer', (object) => {
      const { ca } = object['spec'] as { ca?: { secretName: string } };
      return ca
        ? [
            {
              object,
              path: ['spec', 'ca', 'secretName'],
              kind: 'Secret',
              name: ca.secretName,
              keys: ['tls.crt', 'tls.key'],
            },
          ]
        : [];
    }),
    ...of('HTTPRoute', (object) => {
      const { parentRefs = [] } = object['spec'] as {
        parentRefs?: { kind?: string; name: string }[];
      };
      return parentRefs.map(({ kind = 'Gateway', name }, index) => ({
        object,
        path: ['spec', 'parentRefs', index, 'name'],
        kind,
        name,
      }));
    }),
  ];
}

interface Plugin {
  parameters?: { barmanObjectName?: string };
}

interface ClusterSpec {
  bootstrap?: Record<string, { secret?: { name: string } } | undefined>;
  managed?: { roles?: { passwordSecret?: { name: string } }[] };
  certificates?: Record<string, string>;
  plugins?: Plugin[];
  externalClusters?: { plugin?: Plugin }[];
}

const certificateKeys: Record<string, readonly string[]> = {
  serverTLSSecret: ['tls.crt', 'tls.key'],
  serverCASecret: ['ca.crt'],
  replicationTLSSecret: ['tls.crt', 'tls.key'],
  clientCASecret: ['ca.crt'],
};

function ofCluster(object: KubernetesObject): Reference[] {
  const {
    bootstrap = {},
    managed,
    certificates = {},
    plugins = [],
    externalClusters = [],
  } = object['spec'] as ClusterSpec;
  const password = (path: FieldPath, secret: { name: string } | undefined): Reference[] =>
    secret
      ? [
          {
            object,
            path: [...path, 'name'],
            kind: 'Secret',
            name: secret.name,
            keys: ['username', 'password'],
          },
        ]
      : [];
  const store = (path: FieldPath, { parameters }: Plugin = {}): Reference[] =>
    parameters?.barmanObjectName === undefined
      ? []
      : [
          {
            object,
            path: [...path, 'parameters', 'barmanObjectName'],
            kind: 'ObjectStore',
            name: parameters.barmanObjectName,
          },
        ];
  return [
    ...Object.entries(bootstrap).flatMap(([method, settings]) =>
      password(['spec', 'bootstrap', method, 'secret'], settings?.secret),
    ),
    ...(managed?.roles ?? []).flatMap(({ passwordSecret }, index) =>
      password(['spec', 'managed', 'roles', index, 'passwordSecret'], passwordSecret),
    ),
    ...Object.entries(certificateKeys).flatMap(([field, keys]): Reference[] => {
      const name = certificates[field];
      return name === undefined
        ? []
        : [{ object, path: ['spec', 'certificates', field], kind: 'Secret', name, keys }];
    }),
    ...plugins.flatMap((plugin, index) => store(['spec', 'plugins', index], plugin)),
    ...externalClusters.flatMap(({ plugin }, index) =>
      store(['spec', 'externalClusters', index, 'plugin'], plugin),
    ),
  ];
}

function ofObjectStore(object: KubernetesObject): Reference[] {
  const { configuration } = object['spec'] as {
    configuration: { s3Credentials?: Record<string, { name: string; key: string } | boolean> };
  };
  return Object.entries(configuration.s3Credentials ?? {}).flatMap(([field, selector]) =>
    typeof selector === 'object'
      ? [
          {
            object,
            path: ['spec', 'configuration', 's3Credentials', field],
            kind: 'Secret',
            name: selector.name,
            keys: [selector.key],
          },
        ]
      : [],
  );
}
