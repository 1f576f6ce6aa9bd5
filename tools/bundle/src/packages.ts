import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

/** What is read of a package.json. */
export interface Manifest {
  name: string;
  version: string;
  license?: string;
  dependencies?: Readonly<Record<string, string>>;
  optionalDependencies?: Readonly<Record<string, string>>;
  peerDependencies?: Readonly<Record<string, string>>;
  peerDependenciesMeta?: Readonly<Record<string, { optional?: boolean }>>;
}

export interface Package {
  folder: string;
  manifest: Manifest;
}

function readManifest(folder: string): Manifest | undefined {
  const file = join(folder, 'package.json');
  if (!existsSync(file)) return undefined;
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Partial<Manifest>;
  // Folders inside a package have nameless ones, to set the type of their modules.
  return manifest.name === undefined || manifest.version === undefined
    ? undefined
    : (manifest as Manifest);
}

/** Finds the package that a file belongs to, and remembers. */
export class PackageFinder {
  private readonly known = new Map<string, Package | undefined>();

  of(file: string): Package | undefined {
    const folder = dirname(file);
    if (this.known.has(folder)) return this.known.get(folder);
    const manifest = readManifest(folder);
    const found = manifest ? { folder, manifest } : folder === file ? undefined : this.of(folder);
    this.known.set(folder, found);
    return found;
  }
}

/** The package that code in `from` gets by `name`, as Node.js looks for it. */
export function findPackage(name: string, from: string): Package | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', ...name.split('/'));
    const manifest = readManifest(candidate);
    if (manifest) return { folder: candidate, manifest };
    if (folder === dirname(folder)) return undefined;
  }
}

/** The package part of what is imported: `@scope/name` of `@scope/name/file.js`. */
export function packageNameOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Whether a package works without another: an optional dependency or peer of it. */
export function isOptional({ manifest }: Package, name: string): boolean {
  return (
    manifest.optionalDependencies?.[name] !== undefined ||
    manifest.peerDependenciesMeta?.[name]?.optional === true
  );
}

/** Where a package lies below the nearest common `node_modules`: `pg` or `a/node_modules/b`. */
export function placeOf(folder: string): string {
  const marker = `${sep}node_modules${sep}`;
  return folder.slice(folder.indexOf(marker) + marker.length);
}
