import { type FSWatcher, readdirSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import { type AppName, appNames } from '@mentorhub/local-system';

interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
}

/** How long nothing must have changed before the apps are restarted, in milliseconds. */
const quiet = 300;

/**
 * Watches the built files of apps and libraries, and names the apps whose code changed once a build
 * has come to rest. Gives the function that ends it.
 */
export function watchBuilds(root: string, onChange: (apps: AppName[]) => void): () => void {
  const users = usersOfLibraries(root);
  const changed = new Set<AppName>();
  let timer: NodeJS.Timeout | undefined;
  const watchers: FSWatcher[] = [];
  const observe = (folder: string, apps: readonly AppName[]): void => {
    const watcher = watch(folder, { recursive: true }, (_event, file) => {
      if (file?.endsWith('.js') !== true) return;
      for (const app of apps) changed.add(app);
      clearTimeout(timer);
      timer = setTimeout(() => {
        const now = [...changed];
        changed.clear();
        onChange(now);
      }, quiet);
    });
    watchers.push(watcher);
  };
  for (const app of appNames) observe(join(root, 'apps', app, 'dist'), [app]);
  for (const [library, apps] of users) {
    if (apps.length > 0) observe(join(root, 'libs', library, 'dist'), apps);
  }
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}

/** Which apps use a library, also by way of another one. */
export function usersOfLibraries(root: string): Map<string, AppName[]> {
  const libraries = new Map(
    readdirSync(join(root, 'libs')).map((folder) => {
      const manifest = read(join(root, 'libs', folder, 'package.json'));
      return [manifest.name, { folder, manifest }] as const;
    }),
  );
  const users = new Map<string, AppName[]>(
    [...libraries.values()].map(({ folder }) => [folder, []]),
  );
  for (const app of appNames) {
    const used = new Set<string>();
    const follow = ({ dependencies = {} }: Manifest): void => {
      for (const name of Object.keys(dependencies)) {
        const library = libraries.get(name);
        if (library === undefined || used.has(library.folder)) continue;
        used.add(library.folder);
        follow(library.manifest);
      }
    };
    follow(read(join(root, 'apps', app, 'package.json')));
    for (const folder of used) users.get(folder)?.push(app);
  }
  return users;
}

function read(file: string): Manifest {
  return JSON.parse(readFileSync(file, 'utf8')) as Manifest;
}
