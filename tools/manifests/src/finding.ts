import { type FieldPath, fieldName, type KubernetesObject, nameOf } from './objects.js';

/** Something wrong in the manifests. */
export interface Finding {
  /** The folder that was rendered, or the file: `k8s/overlays/production/chat`. */
  where: string;
  /** `Deployment mentorhub/chat`. */
  object: string;
  /** `spec.replicas`. */
  field: string;
  /** What is wrong, a sentence. */
  problem: string;
  /** What to do about it, a sentence. */
  fix: string;
}

/** What a check of one render reports: `where` is known to its caller. */
export type Fault = Omit<Finding, 'where'>;

/** A fault of a field of an object. */
export function fault(
  object: KubernetesObject,
  path: FieldPath,
  problem: string,
  fix: string,
): Fault {
  return { object: nameOf(object), field: fieldName(object, path), problem, fix };
}

/** One line for people. */
export function findingText({ where, object, field, problem, fix }: Finding): string {
  return `${where}: ${object}, ${field}: ${problem} ${fix}`;
}

/** The same fault once, though several containers have the same variables. */
export function distinctFaults(faults: readonly Fault[]): Fault[] {
  return [...new Map(faults.map((each) => [JSON.stringify(each), each])).values()];
}

/** The same fault of the same object once, though a folder for one app and the one for all render it. */
export function distinct(findings: readonly Finding[]): Finding[] {
  const seen = new Set<string>();
  return findings.filter((finding) => {
    const { where: _, ...rest } = finding;
    const key = JSON.stringify(rest);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
