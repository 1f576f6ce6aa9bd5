import type { Manifest } from './packages.js';

interface Component {
  'bom-ref': string;
  [field: string]: unknown;
}

/** What is read of a CycloneDX document as `npm sbom` writes it. */
export interface Sbom {
  metadata: { component: Component; [field: string]: unknown };
  components: Component[];
  dependencies: { ref: string; dependsOn?: string[] }[];
  [field: string]: unknown;
}

type Named = Pick<Manifest, 'name' | 'version'>;

const refOf = ({ name, version }: Named): string => `${name}@${version}`;

/**
 * The part of the workspace's SBOM that is in the image of an app.
 *
 * `npm sbom --workspace` would list what the libraries are tested with too, and not what was left out of the bundle.
 *
 * @throws Error when a package is in the image and not in the SBOM of the workspace
 */
export function sbomOf(workspace: Sbom, app: Named, packages: Iterable<Named>): Sbom {
  const refs = new Set([refOf(app), ...[...packages].map(refOf)]);
  const byRef = new Map(workspace.components.map((one) => [one['bom-ref'], one]));
  const component = (ref: string): Component => {
    const found = byRef.get(ref);
    if (!found) throw new Error(`${ref} is bundled and not in the SBOM: is package-lock.json old?`);
    return found;
  };
  const sorted = [...refs].toSorted();
  return {
    ...workspace,
    metadata: {
      ...workspace.metadata,
      component: { ...component(refOf(app)), type: 'application', name: app.name },
    },
    components: sorted.filter((ref) => ref !== refOf(app)).map(component),
    dependencies: workspace.dependencies
      .filter(({ ref }) => refs.has(ref))
      .map(({ ref, dependsOn = [] }) => ({
        ref,
        dependsOn: dependsOn.filter((other) => refs.has(other)),
      })),
  };
}
