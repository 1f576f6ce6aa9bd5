import type { App } from '../apps.js';
import type { Fault } from '../finding.js';
import type { KubernetesObject } from '../objects.js';

/** What a rule looks at. */
export interface Subject {
  /** What the folder renders to. */
  objects: readonly KubernetesObject[];
  /** What the whole overlay renders to: the others that these objects refer to. */
  overlay: readonly KubernetesObject[];
  /** What is applied beside the overlay: what `k8s/secrets` prints for it. */
  beside: readonly KubernetesObject[];
  /** What the code of the apps says, by name. */
  apps: ReadonlyMap<string, App>;
}

/** Says what is wrong with what a folder renders to. */
export type Rule = (subject: Subject) => Fault[];
