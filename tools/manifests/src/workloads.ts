import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import { type FieldPath, type KubernetesObject, valueAt } from './objects.js';

/** A container of a workload. */
export interface ContainerPlace {
  container: IContainer;
  path: FieldPath;
  /** Runs to its end before the others start. */
  initial: boolean;
}

/** What runs pods. */
export interface Workload {
  object: KubernetesObject;
  /** Of its pods. */
  labels: Record<string, string>;
  pod: IPodSpec;
  /** Where the specification of the pods is in the object. */
  path: FieldPath;
  containers: ContainerPlace[];
}

interface PodTemplate {
  metadata?: { labels?: Record<string, string> };
  spec?: IPodSpec;
}

const templatePaths: Record<string, FieldPath> = {
  Deployment: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  ReplicaSet: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
};

/** All workloads of a render. */
export function workloadsOf(objects: readonly KubernetesObject[]): Workload[] {
  return objects.flatMap((object) => {
    const templatePath = object.kind === 'Pod' ? [] : templatePaths[object.kind];
    if (!templatePath) return [];
    const template = (valueAt(object, templatePath) ?? {}) as PodTemplate;
    const path = [...templatePath, 'spec'];
    const pod = template.spec ?? { containers: [] };
    const places = (field: 'containers' | 'initContainers'): ContainerPlace[] =>
      (pod[field] ?? []).map((container, index) => ({
        container,
        path: [...path, field, index],
        // One that is always restarted runs beside the others.
        initial: field === 'initContainers' && container.restartPolicy !== 'Always',
      }));
    return [
      {
        object,
        labels: template.metadata?.labels ?? {},
        pod,
        path,
        containers: [...places('initContainers'), ...places('containers')],
      },
    ];
  });
}

/** The objects of a kind. */
export function ofKind(objects: readonly KubernetesObject[], kind: string): KubernetesObject[] {
  return objects.filter((object) => object.kind === kind);
}

/** A selector of labels, as far as manifests of this project go. */
export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** Whether a selector selects these labels; an empty one selects all. */
export function selects(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Record<string, string>,
): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        default:
          return value === undefined;
      }
    })
  );
}
