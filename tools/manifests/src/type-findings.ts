import { distinct, type Fault, type Finding } from './finding.js';
import type { KubernetesObject } from './objects.js';
import type { Render } from './render.js';
import { typeFaults } from './typed.js';

/** What the models of the kinds do not allow. An object that several folders have is checked once. */
export async function typeFindings(renders: readonly Render[]): Promise<Finding[]> {
  const unique = new Map<string, KubernetesObject>();
  for (const object of renders.flatMap(({ objects }) => objects)) {
    unique.set(JSON.stringify(object), object);
  }
  const faults = await typeFaults([...unique.values()]);
  const of = (object: KubernetesObject): Fault[] =>
    faults.get(unique.get(JSON.stringify(object)) ?? object) ?? [];
  return distinct(
    renders.flatMap(({ folder, objects }) =>
      objects.flatMap((object) => of(object).map((each) => ({ where: folder, ...each }))),
    ),
  );
}
