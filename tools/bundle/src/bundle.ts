import { writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { isAbsolute, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type OutputChunk, type Plugin, rolldown } from 'rolldown';
import { exactRegex as exactly } from 'rolldown/filter';
import { appNames, entriesOf, workspaceRoot } from './apps.js';
import { assetPackages, copyExternals, externalPackages } from './externals.js';
import { noticesOf } from './licenses.js';
import {
  isOptional,
  type Manifest,
  type Package,
  PackageFinder,
  packageNameOf,
} from './packages.js';

export interface BundleOptions {
  app: string;
  /** Where the bundle goes; what is there is kept. */
  folder: string;
  /** Modules to begin at beside those of the app, by name. */
  entries?: Readonly<Record<string, string>>;
}

export interface Bundle {
  /** The names of what can be run: `main`, `migrate`, `demo-data`, `health`. */
  entries: string[];
  /** Optional packages that are not installed, which the code that would load them does without. */
  missing: string[];
  /** The packages copied beside the bundle. */
  externals: string[];
  /** All packages with code in the bundle or files beside it, the libraries of the workspace included. */
  packages: Manifest[];
}

/** The module that `health.js` is made of; it exists in the bundler only. */
const healthModule = 'mentorhub:health';

function isExternal(id: string): boolean {
  return externalPackages.some((name) => name === packageNameOf(id));
}

/** Code of the health command with the management port that the app has unless it is configured. */
async function healthCode(app: string): Promise<string> {
  const appFolder = join(workspaceRoot, 'apps', app);
  const { variables } = (await import(
    pathToFileURL(join(appFolder, 'dist', 'config.js')).href
  )) as { variables: Record<string, { defaultText?: string } | undefined> };
  const port = Number(variables['MANAGEMENT_PORT']?.defaultText);
  if (!Number.isInteger(port)) throw new Error(`${app} declares no default of MANAGEMENT_PORT.`);
  const command = createRequire(join(appFolder, 'package.json')).resolve(
    '@mentorhub/service-kit/health-command',
  );
  return [
    `import { healthCommand } from ${JSON.stringify(command)};`,
    `process.exitCode = await healthCommand(process.env, ${port});`,
  ].join('\n');
}

/**
 * Leaves optional packages that are not installed to be missed at run time, as they are without a bundle; anything
 * else that cannot be found is an error, and so is native code, which cannot be bundled.
 */
function resolving(health: string, found: { finder: PackageFinder; missing: Set<string> }): Plugin {
  return {
    name: 'mentorhub',
    resolveId: {
      order: 'pre',
      // Most imports are of files and need no look from here.
      filter: { id: /^(?![./]|node:)/ },
      async handler(id, importer, options) {
        if (id === healthModule) return id;
        const isOwn = id.startsWith('\0') || isBuiltin(id) || isExternal(id) || isAbsolute(id);
        if (!importer || isOwn) return null;
        const resolved = await this.resolve(id, importer, { ...options, skipSelf: true });
        if (resolved?.id.endsWith('.node')) {
          this.error(
            `${importer} loads native code: add ${packageNameOf(id)} to externalPackages.`,
          );
        }
        if (resolved) return null;
        const owner = found.finder.of(importer);
        if (!owner || !isOptional(owner, packageNameOf(id))) {
          this.error(`${importer} imports ${id}, which is not installed.`);
        }
        found.missing.add(id);
        return { id, external: true };
      },
    },
    load: { filter: { id: exactly(healthModule) }, handler: () => health },
  };
}

/**
 * Makes one folder of an app that runs wherever Node.js does: its compiled code and libraries in few files, beside
 * them the packages that cannot be bundled.
 *
 * The compiled output is bundled, not the sources: it has the metadata of decorators, which only the compiler knows.
 *
 * @throws Error when there is no such app, or something that it imports is missing
 */
export async function bundleApp({ app, folder, entries = {} }: BundleOptions): Promise<Bundle> {
  const known = appNames();
  if (!known.includes(app)) {
    throw new Error(`There is no app “${app}”. The apps are: ${known.join(', ')}.`);
  }
  const appFolder = join(workspaceRoot, 'apps', app);
  const finder = new PackageFinder();
  const missing = new Set<string>();
  const input = { ...entriesOf(app), health: healthModule, ...entries };
  const building = await rolldown({
    input,
    cwd: workspaceRoot,
    platform: 'node',
    external: isExternal,
    plugins: [resolving(await healthCode(app), { finder, missing })],
    // Data files that modules name by `new URL(…, import.meta.url)` go along.
    experimental: { resolveNewUrlToAsset: true },
    // A warning is about something that the bundle would miss or run in another order.
    onLog(level, { code, message }) {
      if (level === 'warn') throw new Error(`${code ?? 'rolldown'}: ${message}`);
    },
  });
  const { output } = await building.write({
    dir: folder,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunk-[hash].js',
    assetFileNames: 'assets/[name]-[hash][extname]',
    // Classes name injected dependencies, event handlers and migrations.
    keepNames: true,
    // Modules with side effects, such as reflect-metadata and decorators, have to run before those that rely on them.
    strictExecutionOrder: true,
    minify: { compress: true, codegen: true, mangle: false },
    comments: { legal: false, annotation: false, jsdoc: false },
  });
  await building.close();

  const chunks = output.filter((file): file is OutputChunk => file.type === 'chunk');
  const imported = new Set(
    chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]).map(packageNameOf),
  );
  const external: Package[] = copyExternals({
    code: externalPackages.filter((name) => imported.has(name)),
    assets: assetsOf(finder, appFolder),
    from: appFolder,
    to: join(folder, 'node_modules'),
  });
  const bundled = new Map<string, Package>();
  for (const id of chunks.flatMap((chunk) => chunk.moduleIds)) {
    const owner = isAbsolute(id) ? finder.of(id) : undefined;
    if (owner) bundled.set(owner.folder, owner);
  }
  const foreign = [...bundled.values()].filter(({ folder: own }) => own.includes('node_modules'));
  writeFileSync(join(folder, 'THIRD-PARTY-NOTICES.txt'), noticesOf(foreign));
  writeFileSync(
    join(folder, 'package.json'),
    `${JSON.stringify({ name: `@mentorhub/${app}`, private: true, type: 'module' }, null, 2)}\n`,
  );
  return {
    entries: Object.keys(input),
    missing: [...missing].toSorted(),
    externals: external.map((one) => relative(workspaceRoot, one.folder)).toSorted(),
    packages: [...bundled.values(), ...external].map(({ manifest }) => manifest),
  };
}

/** The packages whose files an app serves: it names them as its own dependencies. */
function assetsOf(finder: PackageFinder, appFolder: string): string[] {
  const dependencies = finder.of(join(appFolder, 'package.json'))?.manifest.dependencies ?? {};
  return Object.keys(assetPackages).filter((name) => dependencies[name] !== undefined);
}
