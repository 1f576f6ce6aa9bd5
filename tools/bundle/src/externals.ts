import { cpSync, existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { legalFile } from './licenses.js';
import { findPackage, isOptional, type Package, placeOf } from './packages.js';

/**
 * Packages that stay packages: native code, what OpenTelemetry patches by its name, and the hooks by which it does.
 */
export const externalPackages = [
  'pg',
  '@node-rs/argon2',
  'sharp',
  'import-in-the-middle',
  'require-in-the-middle',
] as const;

/** Packages of which files are served to browsers and no code runs, and those files. */
export const assetPackages: Readonly<Record<string, readonly string[]>> = {
  'swagger-ui-dist': ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'],
  redoc: ['bundles/redoc.standalone.js'],
};

/** Never loaded at run time. */
const uselessFile = /\.(?:[cm]?ts|map|md|markdown|flow)$|\.(?:test|spec)\.|^\.|^tsconfig.*\.json$/i;
const uselessFolder = /^(?:\.\w+|tests?|__tests__|examples?|docs?|benchmarks?|node_modules)$/i;

/** The package and everything it needs to run, without what needs it only for development. */
function closureOf(names: readonly string[], from: string): Package[] {
  const found = new Map<string, Package>();
  const add = (name: string, searchedFrom: string, required: boolean): void => {
    const one = findPackage(name, searchedFrom);
    if (!one) {
      if (!required) return;
      throw new Error(`${name} is needed by ${searchedFrom} and is not installed. Run npm ci.`);
    }
    if (found.has(one.folder)) return;
    found.set(one.folder, one);
    const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = one.manifest;
    for (const dependency of Object.keys({ ...dependencies, ...optionalDependencies })) {
      add(dependency, one.folder, !isOptional(one, dependency));
    }
    for (const peer of Object.keys(peerDependencies)) {
      if (!isOptional(one, peer)) add(peer, one.folder, true);
    }
  };
  for (const name of names) add(name, from, true);
  return [...found.values()];
}

function copyPackage({ folder }: Package, to: string): void {
  cpSync(folder, to, {
    recursive: true,
    filter: (source) => {
      const name = basename(source);
      const inside = relative(folder, source);
      if (inside === '') return true;
      if (legalFile.test(name)) return true;
      // Deeper down, a folder of such a name may be code.
      if (dirname(inside) === '.' && uselessFolder.test(name)) return false;
      return !uselessFile.test(name);
    },
  });
}

function copyAssets({ folder }: Package, files: readonly string[], to: string): void {
  const legal = readdirSync(folder).filter((name) => legalFile.test(name));
  const notices = files
    .map((file) => `${file}.LICENSE.txt`)
    .filter((file) => existsSync(join(folder, file)));
  for (const file of ['package.json', ...legal, ...files, ...notices]) {
    cpSync(join(folder, file), join(to, file));
  }
}

export interface CopyOptions {
  /** Names of packages of which code runs. */
  code: readonly string[];
  /** Names of packages of which files are served. */
  assets: readonly string[];
  /** The folder of the app that needs them. */
  from: string;
  /** The `node_modules` to make. */
  to: string;
}

/**
 * Copies packages that an app needs at run time, without types, source maps and tests.
 *
 * @throws Error when one is not installed, or when two versions would lie in the same place
 */
export function copyExternals({ code, assets, from, to }: CopyOptions): Package[] {
  const places = new Map<string, string>();
  const claim = ({ folder }: Package): string => {
    const place = placeOf(folder);
    const other = places.get(place);
    if (other !== undefined && other !== folder) {
      throw new Error(`${folder} and ${other} would both become ${place}: use one version of it.`);
    }
    places.set(place, folder);
    return join(to, place);
  };
  const closure = closureOf(code, from);
  for (const one of closure) copyPackage(one, claim(one));
  for (const name of assets) {
    const one = findPackage(name, from);
    if (!one) throw new Error(`${name} is not installed. Run npm ci.`);
    copyAssets(one, assetPackages[name] ?? [], claim(one));
    closure.push(one);
  }
  return closure;
}
