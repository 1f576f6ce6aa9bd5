/** An object of Kubernetes, as its manifest has it. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
  };
  [field: string]: unknown;
}

/** Where a field is: the names of fields, and the places in lists. */
export type FieldPath = readonly (string | number)[];

/** `Deployment mentorhub/chat`. */
export function nameOf({ kind, metadata }: KubernetesObject): string {
  const { name, namespace } = metadata ?? {};
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

/** What is at a path. Undefined where the way ends before. */
export function valueAt(object: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>(
    (value, part) => (value as Record<string | number, unknown> | undefined)?.[part],
    object,
  );
}

/** `spec.template.spec.containers[chat].image`: an item of a list by its name where it has one. */
export function fieldName(object: unknown, path: FieldPath): string {
  let [text, value] = ['', object];
  for (const part of path) {
    value = (value as Record<string | number, unknown> | undefined)?.[part];
    if (typeof part === 'number') {
      const name = (value as { name?: unknown } | null | undefined)?.name;
      text += `[${typeof name === 'string' ? name : part}]`;
    } else {
      const plain = /^[\w-]+$/.test(part);
      text += plain ? `${text === '' ? '' : '.'}${part}` : `["${part}"]`;
    }
  }
  return text;
}
