import { selectorsOf } from '@mentorhub/monitoring';
import { type Fault, fault } from '../finding.js';
import { type FieldPath, type KubernetesObject, valueAt } from '../objects.js';
import { ofKind, workloadsOf } from '../workloads.js';
import { appOf, readConfiguration } from './configuration.js';
import type { Rule } from './rule.js';

interface Target {
  scaleTargetRef: { kind?: string; name: string };
}

/** What sets the number of a workload's pods. */
export function autoscalersOf(
  objects: readonly KubernetesObject[],
  { kind, metadata }: KubernetesObject,
): KubernetesObject[] {
  return [...ofKind(objects, 'HorizontalPodAutoscaler'), ...ofKind(objects, 'ScaledObject')].filter(
    ({ spec }) => {
      const { scaleTargetRef } = spec as Target;
      return (
        scaleTargetRef.name === metadata.name && (scaleTargetRef.kind ?? 'Deployment') === kind
      );
    },
  );
}

/** The number of a workload's pods is set in one place. */
export const oneAutoscaler: Rule = ({ objects }) =>
  workloadsOf(objects).flatMap(({ object }) => {
    const [first, second] = autoscalersOf(objects, object);
    const { replicas } = (object['spec'] ?? {}) as { replicas?: number };
    if (first && second) {
      return [
        fault(
          second,
          ['spec', 'scaleTargetRef', 'name'],
          `${first.kind} ${first.metadata.name} scales ${object.metadata.name} as well, and each undoes what the other does.`,
          'Remove one of the two; KEDA makes an autoscaler of its own.',
        ),
      ];
    }
    if (first && replicas !== undefined) {
      return [
        fault(
          object,
          ['spec', 'replicas'],
          `Each apply sets what ${first.kind} ${first.metadata.name} has changed.`,
          'Remove it.',
        ),
      ];
    }
    return !first && object.kind === 'Deployment' && replicas === undefined
      ? [
          fault(
            object,
            ['spec', 'replicas'],
            'Nothing says how many pods it has, so it has one.',
            'Add a HorizontalPodAutoscaler, or set replicas.',
          ),
        ]
      : [];
  });

interface Behavior {
  scaleDown?: {
    selectPolicy?: string;
    policies?: { type: string; value: number; periodSeconds: number }[];
  };
}

/** What clients of a pod with WebSockets need to connect to the others, one after another. */
const betweenPods = 300;

/** Of an app with WebSockets no more than one pod goes at a time: its clients connect to the others. */
export const socketsGoSlowly: Rule = (subject) =>
  workloadsOf(subject.objects).flatMap((workload) => {
    const app = appOf(workload, subject);
    if (!app || !('WS_CONNECTIONS' in app.variables)) return [];
    return autoscalersOf(subject.objects, workload.object).flatMap((object) => {
      const place: FieldPath =
        object.kind === 'ScaledObject'
          ? ['spec', 'advanced', 'horizontalPodAutoscalerConfig', 'behavior']
          : ['spec', 'behavior'];
      const behavior = valueAt(object, place) as Behavior | undefined;
      const { policies = [], selectPolicy } = behavior?.scaleDown ?? {};
      const isSlow = ({ type, value, periodSeconds }: (typeof policies)[number]): boolean =>
        type === 'Pods' && value <= 1 && periodSeconds >= betweenPods;
      // The policy that lets most go counts, unless another choice is made.
      const slow =
        selectPolicy === 'Disabled' ||
        (policies.length > 0 &&
          (selectPolicy === 'Min' ? policies.some(isSlow) : policies.every(isSlow)));
      return slow
        ? []
        : [
            fault(
              object,
              [...place, 'scaleDown', 'policies'],
              `More than one pod of ${app.name} may go in ${betweenPods} s, and the clients of all of them connect again at once.`,
              `Set one policy: type Pods, value 1, periodSeconds ${betweenPods}.`,
            ),
          ];
    });
  });

/** What KEDA asks Prometheus for are metrics of this installation's pods that it scales, which can reach the threshold. */
export const triggersAreMeasured: Rule = (subject) =>
  ofKind(subject.objects, 'ScaledObject').flatMap((object) => {
    const { triggers = [], scaleTargetRef } = object['spec'] as Target & {
      triggers?: { type: string; metadata: Record<string, string> }[];
    };
    const workload = workloadsOf(subject.objects).find(
      (each) => each.object.metadata.name === scaleTargetRef.name,
    );
    const app = workload && appOf(workload, subject);
    if (!workload || !app) return [];
    const { WS_CONNECTIONS } = readConfiguration(subject, workload, app) ?? {};
    return triggers.flatMap(({ type, metadata }, index) => {
      if (type !== 'prometheus') return [];
      const path = ['spec', 'triggers', index, 'metadata'];
      const { query = '', threshold = '' } = metadata;
      const faults = queryFaults(query, object, [...path, 'query'], {
        app: app.name,
        metrics: app.metrics,
      });
      const most = Number(WS_CONNECTIONS);
      if (query.includes('ws_connections') && !(Number(threshold) < most)) {
        faults.push(
          fault(
            object,
            [...path, 'threshold'],
            `A pod takes ${most} WebSockets (WS_CONNECTIONS), so the average does not get above ${threshold}.`,
            `Set less than ${most}, for example ${most / 2}.`,
          ),
        );
      }
      return faults;
    });
  });

function queryFaults(
  query: string,
  object: KubernetesObject,
  path: FieldPath,
  { app, metrics }: { app: string; metrics: ReadonlySet<string> },
): Fault[] {
  let selectors;
  try {
    selectors = selectorsOf(query);
  } catch (error) {
    return [fault(object, path, `${(error as Error).message}.`, 'Correct the query.')];
  }
  // As the PodMonitor and the Prometheus Operator label the series.
  const labels = { namespace: object.metadata.namespace ?? '', job: 'mentorhub', app };
  return selectors.flatMap(({ metric, matchers }) => {
    if (!metrics.has(metric)) {
      return [
        fault(
          object,
          path,
          `${app} has no metric ${metric}.`,
          `Use one of those in apps/${app}/src/metrics.ts.`,
        ),
      ];
    }
    return Object.entries(labels)
      .filter(
        ([label, value]) =>
          !matchers.some(
            (matcher) =>
              matcher.label === label && matcher.operator === '=' && matcher.value === value,
          ),
      )
      .map(([label, value]) =>
        fault(
          object,
          path,
          `It counts ${metric} of others, as it does not ask for the ${label} ${value}.`,
          `Add ${label}="${value}".`,
        ),
      );
  });
}
