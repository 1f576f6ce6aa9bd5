/* npm start, and with --watch npm run dev: installs and builds what is missing, then starts the local system. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuilt } from './src/build.mjs';
import { ensureInstalled } from './src/install.mjs';
import { ownNode, runInTerminal, tool, toolEnvironment } from './src/run-tool.mjs';
import { main, root } from './src/terminal.mjs';

await main(async () => {
  await ensureInstalled();
  await ensureBuilt();
  const compiler = process.argv.includes('--watch') ? watchSources() : undefined;
  try {
    return await runInTerminal(
      ownNode,
      [join(root, 'tools', 'local', 'dist', 'main.js'), ...process.argv.slice(2)],
      { linked: true },
    );
  } finally {
    compiler?.kill();
  }
});

/** The compiler, compiling whatever is saved; the local system restarts the apps it changes. */
function watchSources() {
  const child = spawn(
    ownNode,
    [tool('typescript/bin/tsc'), '-b', '--watch', '--preserveWatchOutput'],
    { cwd: root, env: toolEnvironment(), stdio: ['ignore', 'pipe', 'inherit'] },
  );
  child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
    // It is silent about what goes well.
    for (const line of text.split('\n')) if (line.includes('error TS')) console.log(line);
  });
  return child;
}
