/*
 * npm run test:deploy: builds the images and tries them in containers. On Debian as root it installs the container engine
 * if it is missing; elsewhere it says what to install. Arguments go to Vitest.
 */
import { ensureBuilt } from './src/build.mjs';
import { ensureInstalled } from './src/install.mjs';
import { ownNode, runInTerminal, tool } from './src/run-tool.mjs';
import { main } from './src/terminal.mjs';

await main(async () => {
  await ensureInstalled();
  await ensureBuilt();
  return runInTerminal(ownNode, [
    tool('vitest/vitest.mjs'),
    'run',
    '--config',
    'tools/deploy-tests/vitest.deploy.config.ts',
    ...process.argv.slice(2),
  ]);
});
