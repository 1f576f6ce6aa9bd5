/* run.mjs <built file> [arguments]: installs and builds what is missing, then runs the file on our own Node.js. */
import { resolve } from 'node:path';
import { ensureBuilt } from './src/build.mjs';
import { ensureInstalled } from './src/install.mjs';
import { ownNode, runInTerminal } from './src/run-tool.mjs';
import { main, Problem, root } from './src/terminal.mjs';

await main(async () => {
  const [file, ...parameters] = process.argv.slice(2);
  if (file === undefined)
    throw new Problem('Name the file to run: run.mjs <built file> [arguments]');
  await ensureInstalled();
  await ensureBuilt();
  return runInTerminal(ownNode, ['--enable-source-maps', resolve(root, file), ...parameters]);
});
