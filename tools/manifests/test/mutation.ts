import type { FieldPath, KubernetesObject } from '../src/objects.js';

/** The object with this name; the hash that kustomize puts after the names of ConfigMaps may be left out. */
export function findObject(
  objects: readonly KubernetesObject[],
  kind: string,
  name: string,
): KubernetesObject {
  const found = objects.filter(
    (object) => object.kind === kind && object.metadata.name.replace(/-[0-9a-z]{10}$/, '') === name,
  );
  const [object] = found;
  if (!object || found.length > 1) throw new Error(`There are ${found.length} ${kind} ${name}.`);
  return object;
}

type Container = Record<string | number, unknown>;

function parentOf(object: KubernetesObject, path: FieldPath): Container {
  return path.slice(0, -1).reduce<Container>((value, part) => {
    const next = value[part];
    if (typeof next !== 'object' || next === null) {
      throw new Error(`${object.kind} ${object.metadata.name} has no ${path.join('.')}`);
    }
    return next as Container;
  }, object);
}

/** Sets a field, in an object that has all of the way to it. */
export function set(object: KubernetesObject, path: FieldPath, value: unknown): void {
  parentOf(object, path)[path.at(-1)!] = value;
}

/** Removes a field that is there, or an item of a list. */
export function remove(object: KubernetesObject, path: FieldPath): void {
  const parent = parentOf(object, path);
  const key = path.at(-1)!;
  if (!(key in parent)) throw new Error(`${object.metadata.name} has no ${path.join('.')}`);
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}
