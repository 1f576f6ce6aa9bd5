/*
 * task.mjs <app> <task> [arguments]: runs a task of an app, such as rotate-keys, where the app itself runs: with the settings
 * of the environment, or else with those of the platform that `npm start` runs.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt } from './src/build.mjs';
import { ensureInstalled } from './src/install.mjs';
import { ownNode, runInTerminal, toolEnvironment } from './src/run-tool.mjs';
import { dataDirectory, main, Problem, root, runningSystem } from './src/terminal.mjs';

/** @param {string} app */
function settingsOf(app) {
  const own = `DATABASE_URL_${app.toUpperCase()}`;
  if (process.env['DATABASE_URL'] || process.env[own] || process.env[`${own}_FILE`]) return {};
  const directory = dataDirectory();
  if (runningSystem(directory) === undefined) {
    throw new Problem(
      `The platform does not run on ${directory}. Start it with npm start, or set ${own} and what else ${app} needs (docs/configuration.md).`,
    );
  }
  return JSON.parse(readFileSync(join(directory, 'task-environment.json'), 'utf8'))[app];
}

await main(async () => {
  const [app, task, ...parameters] = process.argv.slice(2);
  if (app === undefined || task === undefined) {
    throw new Problem('Name the app and its task: task.mjs <app> <task> [arguments]');
  }
  const settings = settingsOf(app);
  await ensureInstalled();
  await ensureBuilt();
  const file = join(root, 'apps', app, 'dist', `${task}.js`);
  return runInTerminal(ownNode, ['--enable-source-maps', file, ...parameters], {
    environment: { ...toolEnvironment(), ...settings },
  });
});
