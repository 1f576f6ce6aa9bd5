import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IResourceRequirements } from 'kubernetes-models/v1/ResourceRequirements';
import { type Fault, fault } from '../finding.js';
import { type FieldPath, valueAt } from '../objects.js';
import { ofKind, selects, type LabelSelector, workloadsOf } from '../workloads.js';
import type { Rule, Subject } from './rule.js';

/** A rule over every container of every workload. */
function overContainers(
  check: (
    container: IContainer,
    place: { initial: boolean; first: boolean },
    report: (field: readonly string[], problem: string, fix: string) => Fault,
  ) => (Fault | false | undefined)[],
): Rule {
  return ({ objects }) =>
    workloadsOf(objects).flatMap(({ object, containers }) =>
      containers.flatMap(({ container, path, initial }) =>
        check(container, { initial, first: !initial && path.at(-1) === 0 }, (field, problem, fix) =>
          fault(object, [...path, ...field], problem, fix),
        ).filter((found) => found !== false && found !== undefined),
      ),
    );
}

const containerImages = overContainers(({ image = '' }, _place, report) => [
  imageFault(image, report),
]);

/** Images have a version or a digest: what runs after a restart is what ran before. */
export const pinnedImages: Rule = (subject) => [
  ...containerImages(subject),
  ...ofKind(subject.objects, 'Cluster').flatMap((object) => {
    const { imageName = '' } = (object['spec'] ?? {}) as { imageName?: string };
    return (
      imageFault(imageName, (_field, problem, fix) =>
        fault(object, ['spec', 'imageName'], problem, fix),
      ) ?? []
    );
  }),
];

function imageFault(
  image: string,
  report: (field: readonly string[], problem: string, fix: string) => Fault,
): Fault | undefined {
  const { tag, digest } = /^[^@]*?(?::(?<tag>[\w.-]+))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$/.exec(
    image,
  )?.groups ?? { tag: undefined, digest: undefined };
  if (digest !== undefined || /^v?\d+\.\d+/.test(tag ?? '')) return undefined;
  const problem =
    tag === undefined
      ? `The image ${image || '(none)'} has no version.`
      : `The image ${image} has the tag ${tag}, which is no version.`;
  return report(['image'], problem, 'Set a version such as 1.2.3, or a digest.');
}

/** No container runs as root. */
export const nonRoot: Rule = ({ objects }) =>
  workloadsOf(objects).flatMap(({ object, pod, containers }) =>
    containers.flatMap(({ container, path }) => {
      const setting = { ...pod.securityContext, ...container.securityContext };
      const field = [...path, 'securityContext'];
      const faults: Fault[] = [];
      if (setting.runAsNonRoot !== true) {
        faults.push(
          fault(
            object,
            [...field, 'runAsNonRoot'],
            'It may run as root.',
            'Set runAsNonRoot: true for the pod or the container.',
          ),
        );
      }
      if (setting.runAsUser === 0) {
        faults.push(
          fault(
            object,
            [...field, 'runAsUser'],
            'It is root.',
            'Set the number of another user, for our images 65532.',
          ),
        );
      }
      return faults;
    }),
  );

/** No container writes to its image's files. */
export const readOnlyRoot: Rule = overContainers(({ securityContext }, _place, report) => [
  securityContext?.readOnlyRootFilesystem !== true &&
    report(
      ['securityContext', 'readOnlyRootFilesystem'],
      'Its root file system can be written to.',
      'Set readOnlyRootFilesystem: true, and mount a volume where it has to write.',
    ),
]);

/** The runtime's filter of system calls is on. */
export const seccomp: Rule = ({ objects }) =>
  workloadsOf(objects).flatMap(({ object, pod, containers }) =>
    containers.flatMap(({ container, path }) => {
      const profile =
        container.securityContext?.seccompProfile ?? pod.securityContext?.seccompProfile;
      return profile?.type === 'RuntimeDefault' || profile?.type === 'Localhost'
        ? []
        : [
            fault(
              object,
              [...path, 'securityContext', 'seccompProfile'],
              `System calls are not filtered (${profile?.type ?? 'no profile'}).`,
              'Set seccompProfile: { type: RuntimeDefault } for the pod.',
            ),
          ];
    }),
  );

/** No capability, no way to get one. */
export const noCapabilities: Rule = overContainers(({ securityContext }, _place, report) => [
  !securityContext?.capabilities?.drop?.includes('ALL') &&
    report(
      ['securityContext', 'capabilities', 'drop'],
      'It keeps capabilities of the runtime.',
      'Set capabilities: { drop: [ALL] }.',
    ),
  (securityContext?.capabilities?.add?.length ?? 0) > 0 &&
    report(
      ['securityContext', 'capabilities', 'add'],
      `It gets the capabilities ${securityContext?.capabilities?.add?.join(', ')}.`,
      'Remove them.',
    ),
  securityContext?.allowPrivilegeEscalation !== false &&
    report(
      ['securityContext', 'allowPrivilegeEscalation'],
      'A program in it may get more privileges than it was started with.',
      'Set allowPrivilegeEscalation: false.',
    ),
  securityContext?.privileged === true &&
    report(['securityContext', 'privileged'], 'It has all of the machine.', 'Remove it.'),
]);

/** Pods share nothing with the machine they run on. */
export const noHostAccess: Rule = ({ objects }) =>
  workloadsOf(objects).flatMap(({ object, pod, path }) => [
    ...(['hostNetwork', 'hostPID', 'hostIPC'] as const)
      .filter((field) => pod[field] === true)
      .map((field) =>
        fault(object, [...path, field], 'The pod shares this with the machine.', 'Remove it.'),
      ),
    ...(pod.volumes ?? []).flatMap((volume, index) =>
      volume.hostPath
        ? [
            fault(
              object,
              [...path, 'volumes', index, 'hostPath'],
              'The pod sees files of the machine.',
              'Use another kind of volume.',
            ),
          ]
        : [],
    ),
  ]);

/** Nothing in a pod can ask the cluster's API. */
export const noServiceAccountToken: Rule = ({ objects }) =>
  workloadsOf(objects).flatMap(({ object, pod, path }) =>
    pod.automountServiceAccountToken === false
      ? []
      : [
          fault(
            object,
            [...path, 'automountServiceAccountToken'],
            'The pod gets a token for the API of the cluster.',
            'Set automountServiceAccountToken: false.',
          ),
        ],
  );

const containerResources = overContainers(({ resources: wanted }, _place, report) =>
  resourceFaults(wanted, report),
);

/** The scheduler knows what a container needs, and memory has an end. */
export const resources: Rule = (subject) => [
  ...containerResources(subject),
  ...operatorResources(subject, 'Cluster', ['spec']),
  // The sidecar of the instances that writes the backups.
  ...operatorResources(subject, 'ObjectStore', ['spec', 'instanceSidecarConfiguration']),
];

/** Of containers that an operator makes. */
function operatorResources({ objects }: Subject, kind: string, place: FieldPath): Fault[] {
  return ofKind(objects, kind).flatMap((object) => {
    const { resources: wanted } = (valueAt(object, place) ?? {}) as {
      resources?: IResourceRequirements;
    };
    return resourceFaults(wanted, (field, problem, fix) =>
      fault(object, [...place, ...field], problem, fix),
    ).filter((found) => found !== false);
  });
}

function resourceFaults(
  wanted: IResourceRequirements | undefined,
  report: (field: readonly string[], problem: string, fix: string) => Fault,
): (Fault | false)[] {
  const requests = (wanted?.requests ?? {}) as Record<string, unknown>;
  const limits = (wanted?.limits ?? {}) as Record<string, unknown>;
  return [
    ...['cpu', 'memory'].map(
      (name) =>
        requests[name] === undefined &&
        report(
          ['resources', 'requests', name],
          'The scheduler does not know how much it needs.',
          `Set a request of ${name}.`,
        ),
    ),
    limits['memory'] === undefined &&
      report(
        ['resources', 'limits', 'memory'],
        'It may use up the memory of the machine.',
        'Set a limit of memory.',
      ),
  ];
}

/**
 * Kubernetes knows when a container has started, is ready, and hangs. One that listens on no port serves nobody, as the one
 * that has NATS read its configuration again: it is restarted when it ends.
 */
export const probes: Rule = overContainers((container, { initial, first }, report) =>
  initial || (!first && (container.ports ?? []).length === 0)
    ? []
    : (['startupProbe', 'readinessProbe', 'livenessProbe'] as const).map((probe) => {
        const { httpGet, exec, tcpSocket, grpc } = container[probe] ?? {};
        const port = httpGet?.port ?? tcpSocket?.port;
        const unknown =
          typeof port === 'string' && !container.ports?.some(({ name }) => name === port);
        if (unknown) {
          return report(
            [probe],
            `The container has no port ${port}.`,
            'Use the name of one of its ports.',
          );
        }
        return (
          [httpGet, exec, tcpSocket, grpc].every((action) => action === undefined) &&
          report([probe], 'It is not asked.', `Set a ${probe}.`)
        );
      }),
);

/** A drained machine takes one pod at a time, and it can be drained. */
export const disruptionBudget: Rule = ({ objects }) =>
  workloadsOf(objects)
    .filter(({ object }) => ['Deployment', 'StatefulSet'].includes(object.kind))
    .flatMap(({ object, labels }) => {
      const budgets = ofKind(objects, 'PodDisruptionBudget').filter((budget) => {
        const { selector } = budget['spec'] as { selector?: LabelSelector };
        return selector !== undefined && selects(selector, labels);
      });
      const [budget, second] = budgets;
      if (!budget) {
        return [
          fault(
            object,
            ['spec', 'template', 'metadata', 'labels'],
            'No PodDisruptionBudget selects its pods.',
            'Add one with maxUnavailable: 1.',
          ),
        ];
      }
      if (second) {
        return [
          fault(
            second,
            ['spec', 'selector'],
            `${budget.metadata.name} selects the same pods, and no pod of two budgets can be evicted.`,
            'Remove one of the two.',
          ),
        ];
      }
      const { maxUnavailable } = budget['spec'] as { maxUnavailable?: number | string };
      return maxUnavailable === 1
        ? []
        : [
            fault(
              budget,
              ['spec', 'maxUnavailable'],
              'Of a single pod none may be evicted, or of several more than one at a time.',
              'Set maxUnavailable: 1, and no minAvailable.',
            ),
          ];
    });

/** The replicas of a workload are not all on one machine. */
export const spread: Rule = ({ objects }) =>
  workloadsOf(objects)
    .filter(({ object }) => ['Deployment', 'StatefulSet'].includes(object.kind))
    .flatMap(({ object, pod, path, labels }) => {
      const antiAffinity = pod.affinity?.podAntiAffinity;
      const terms = [
        ...(pod.topologySpreadConstraints ?? []),
        ...(antiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
        ...(antiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
          ({ podAffinityTerm }) => podAffinityTerm,
        ),
      ];
      const spreads = terms.some(
        ({ topologyKey, labelSelector }) =>
          topologyKey === 'kubernetes.io/hostname' &&
          labelSelector !== undefined &&
          selects(labelSelector, labels),
      );
      return spreads
        ? []
        : [
            fault(
              object,
              [...path, 'topologySpreadConstraints'],
              'Nothing keeps its pods from being all on one machine.',
              'Add a constraint with topologyKey kubernetes.io/hostname whose labelSelector selects these pods.',
            ),
          ];
    });

/** A rollout keeps every pod until its successor is ready. */
export const rolloutKeepsPods: Rule = ({ objects }) =>
  ofKind(objects, 'Deployment').flatMap((object) => {
    const { strategy } = object['spec'] as {
      strategy?: { type?: string; rollingUpdate?: { maxUnavailable?: number | string } };
    };
    if (strategy?.type === 'Recreate') {
      return [
        fault(
          object,
          ['spec', 'strategy', 'type'],
          'A rollout ends all pods before it starts one.',
          'Set type: RollingUpdate with maxUnavailable: 0.',
        ),
      ];
    }
    const unavailable = strategy?.rollingUpdate?.maxUnavailable;
    return unavailable === 0 || unavailable === '0%'
      ? []
      : [
          fault(
            object,
            ['spec', 'strategy', 'rollingUpdate', 'maxUnavailable'],
            `A rollout ends pods before their successors are ready (${unavailable ?? 'the default, 25%'}).`,
            'Set maxUnavailable: 0.',
          ),
        ];
  });
