import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import { type Fault, fault } from '../finding.js';
import type { FieldPath, KubernetesObject } from '../objects.js';
import { secretsOf } from '../secrets.js';
import { type LabelSelector, ofKind, selects, workloadsOf } from '../workloads.js';
import { operatorReferences } from './operators.js';
import type { Rule } from './rule.js';

/** Lists whose items Kubernetes knows by a key: of two with the same it keeps one, or refuses both. */
const listKeys: Record<string, readonly string[]> = {
  containers: ['name'],
  initContainers: ['name'],
  volumes: ['name'],
  env: ['name'],
  volumeMounts: ['mountPath'],
  hostAliases: ['ip'],
  imagePullSecrets: ['name'],
};

/** No list has two items of one name, nor two ports of one number. */
export const uniqueItems: Rule = ({ objects }) =>
  objects.flatMap((object) => duplicates(object, object, []));

function duplicates(object: KubernetesObject, value: unknown, path: FieldPath): Fault[] {
  if (typeof value !== 'object' || value === null) return [];
  if (!Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, item]) => duplicates(object, item, [...path, key]));
  }
  const field = path.at(-1);
  const keys = field === 'ports' ? ['port', 'containerPort', 'protocol'] : listKeys[String(field)];
  const seen = new Set<string>();
  const faults: Fault[] = [];
  for (const [index, item] of value.entries()) {
    faults.push(...duplicates(object, item, [...path, index]));
    if (!keys || typeof item !== 'object' || item === null) continue;
    const record = item as Record<string, unknown>;
    const values = keys
      .map((key) => record[key] ?? (key === 'protocol' ? 'TCP' : undefined))
      .filter((each) => each !== undefined)
      .map(String);
    if (values.length === 0 || (field === 'ports' && values.length < 2)) continue;
    const identity = values.join(' ');
    if (seen.has(identity)) {
      faults.push(
        fault(object, [...path, index], `${identity} is there twice.`, 'Remove one of the two.'),
      );
    }
    seen.add(identity);
  }
  return faults;
}

/** What objects name is there. */
export const referencesExist: Rule = ({ objects, overlay, beside }) => {
  const secrets = secretsOf(overlay, beside);
  const has = (kind: string, name: string): boolean =>
    (kind === 'Secret' && secrets.has(name)) ||
    ofKind([...overlay, ...beside], kind).some(({ metadata }) => metadata.name === name);
  const missing = (
    object: KubernetesObject,
    path: FieldPath,
    kind: string,
    name: string | undefined,
  ): Fault[] =>
    name === undefined || has(kind, name)
      ? []
      : [
          fault(
            object,
            path,
            `There is no ${kind} ${name} in the overlay.`,
            'Correct the name, or add the object.',
          ),
        ];
  const missingKey = (
    object: KubernetesObject,
    path: FieldPath,
    name: string,
    key: string,
  ): Fault[] =>
    (secrets.get(name)?.has(key) ?? true)
      ? []
      : [
          fault(
            object,
            path,
            `The Secret ${name} has no key ${key}.`,
            'Correct the key, or add it to what makes the Secret.',
          ),
        ];
  const ofPods = workloadsOf(objects).flatMap(({ object, pod, path }) => [
    ...missing(object, [...path, 'serviceAccountName'], 'ServiceAccount', pod.serviceAccountName),
    ...mountedSecrets(pod, path).flatMap(({ name, path: place, field, keys }) => [
      ...missing(object, [...place, field], 'Secret', name),
      ...keys.flatMap((key, item) =>
        missingKey(object, [...place, 'items', item, 'key'], name ?? '', key),
      ),
    ]),
    ...(pod.volumes ?? []).flatMap(({ configMap, persistentVolumeClaim }, index) => [
      ...missing(
        object,
        [...path, 'volumes', index, 'configMap', 'name'],
        'ConfigMap',
        configMap?.name,
      ),
      ...missing(
        object,
        [...path, 'volumes', index, 'persistentVolumeClaim', 'claimName'],
        'PersistentVolumeClaim',
        persistentVolumeClaim?.claimName,
      ),
    ]),
  ]);
  const ofScalers = [
    ...ofKind(objects, 'HorizontalPodAutoscaler'),
    ...ofKind(objects, 'ScaledObject'),
  ].flatMap((object) => {
    const { kind = 'Deployment', name } = (
      object['spec'] as { scaleTargetRef: { kind?: string; name: string } }
    ).scaleTargetRef;
    return missing(object, ['spec', 'scaleTargetRef', 'name'], kind, name);
  });
  const ofOperators = operatorReferences(objects).flatMap(
    ({ object, path, kind, name, keys = [] }) => [
      ...missing(object, path, kind, name),
      ...keys.flatMap((key) => missingKey(object, path, name, key)),
    ],
  );
  return [...ofPods, ...ofScalers, ...ofOperators, ...ofRoutes(objects, overlay)];
};

/** A Secret in a volume. */
interface MountedSecret {
  name: string | undefined;
  path: FieldPath;
  /** The field with the name of the Secret. */
  field: string;
  /** The keys that are mounted; none where all are. */
  keys: string[];
}

function mountedSecrets({ volumes = [] }: IPodSpec, path: FieldPath): MountedSecret[] {
  return volumes.flatMap(({ secret, projected }, index) => {
    const place = [...path, 'volumes', index];
    const own = secret
      ? [
          {
            name: secret.secretName,
            path: [...place, 'secret'],
            field: 'secretName',
            keys: (secret.items ?? []).map(({ key }) => key),
          },
        ]
      : [];
    const parts = (projected?.sources ?? []).flatMap((source, part) =>
      source.secret
        ? [
            {
              name: source.secret.name,
              path: [...place, 'projected', 'sources', part, 'secret'],
              field: 'name',
              keys: (source.secret.items ?? []).map(({ key }) => key),
            },
          ]
        : [],
    );
    return [...own, ...parts];
  });
}

/** A port of a Service that a route leads to. */
interface Backend {
  name: string;
  port: number | string | undefined;
  path: FieldPath;
}

function backends(object: KubernetesObject): Backend[] {
  const { rules = [] } = (object['spec'] ?? {}) as {
    rules?: {
      backendRefs?: { name: string; port?: number }[];
      http?: {
        paths: {
          backend: { service?: { name: string; port?: { number?: number; name?: string } } };
        }[];
      };
    }[];
  };
  return rules.flatMap(({ backendRefs = [], http }, index) => [
    ...backendRefs.map(({ name, port }, place) => ({
      name,
      port,
      path: ['spec', 'rules', index, 'backendRefs', place],
    })),
    ...(http?.paths ?? []).flatMap(({ backend: { service } }, place) =>
      service
        ? [
            {
              name: service.name,
              port: service.port?.number ?? service.port?.name,
              path: ['spec', 'rules', index, 'http', 'paths', place, 'backend', 'service'],
            },
          ]
        : [],
    ),
  ]);
}

/** Routes lead to ports of Services that are there. */
function ofRoutes(
  objects: readonly KubernetesObject[],
  overlay: readonly KubernetesObject[],
): Fault[] {
  return objects
    .filter(({ kind }) => kind === 'HTTPRoute' || kind === 'Ingress')
    .flatMap((object) =>
      backends(object).flatMap(({ name, port, path }) => {
        const service = ofKind(overlay, 'Service').find(({ metadata }) => metadata.name === name);
        const { ports = [] } = (service?.['spec'] ?? {}) as {
          ports?: { name?: string; port: number }[];
        };
        return ports.some((each) => each.port === port || each.name === port)
          ? []
          : [
              fault(
                object,
                path,
                `There is no Service ${name} with the port ${port} in the overlay.`,
                'Correct the name or the port.',
              ),
            ];
      }),
    );
}

/** Selectors select what they are for. */
export const selectorsSelect: Rule = ({ objects, overlay }) => {
  const own = workloadsOf(objects).flatMap(({ object, labels }) => {
    const { selector } = object['spec'] as { selector?: LabelSelector };
    return selector === undefined || selects(selector, labels)
      ? []
      : [
          fault(
            object,
            ['spec', 'selector'],
            'It does not select the pods of its own template.',
            'Use labels that the template has.',
          ),
        ];
  });
  const services = ofKind(objects, 'Service').flatMap((object) => {
    const { selector, ports = [] } = object['spec'] as {
      selector?: Record<string, string>;
      ports?: { targetPort?: number | string; port: number }[];
    };
    if (!selector) return [];
    const selected = workloadsOf(overlay).filter(({ labels }) =>
      selects({ matchLabels: selector }, labels),
    );
    if (selected.length === 0) {
      return [
        fault(
          object,
          ['spec', 'selector'],
          'It selects no pods of the overlay.',
          'Use labels that the pods have.',
        ),
      ];
    }
    const offered = selected.flatMap(({ containers }) =>
      containers.flatMap(({ container }) =>
        (container.ports ?? []).flatMap(({ name, containerPort }) => [name, containerPort]),
      ),
    );
    return ports.flatMap(({ port, targetPort = port }, index) =>
      offered.includes(targetPort)
        ? []
        : [
            fault(
              object,
              ['spec', 'ports', index, 'targetPort'],
              `Its pods have no port ${targetPort}.`,
              'Use the name or number of a port of the container.',
            ),
          ],
    );
  });
  return [...own, ...services];
};
