import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of the workspace. */
export const workspaceRoot = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** The apps that have an image: those that are started by a `main.ts`. */
export function appNames(root = workspaceRoot): string[] {
  return readdirSync(join(root, 'apps'))
    .filter((name) => existsSync(join(root, 'apps', name, 'src', 'main.ts')))
    .toSorted();
}

/** What a bundle has beside `main.js`, where the app has it: what is run once, beside the serving process. */
const tasks = ['migrate', 'demo-data', 'rotate-keys', 'create-admin'] as const;

/** The compiled files that a bundle of the app begins at, by the name that each has in the bundle. */
export function entriesOf(app: string, root = workspaceRoot): Record<string, string> {
  const names = ['main', ...tasks].filter((name) =>
    existsSync(join(root, 'apps', app, 'src', `${name}.ts`)),
  );
  return Object.fromEntries(
    names.map((name) => [name, join(root, 'apps', app, 'dist', `${name}.js`)]),
  );
}
