/*
 * npm test: installs, builds, checks format and lint, runs all tests, and ends with one line of numbers.
 * Arguments go to Vitest, and then only tests are run: npm test -- --project @mentorhub/identity
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { ensureBuilt } from './src/build.mjs';
import { ensureInstalled } from './src/install.mjs';
import { ownNode, runInTerminal, runQuietly, tool } from './src/run-tool.mjs';
import { summarise } from './src/summary.mjs';
import { main, Problem, progress, root, say } from './src/terminal.mjs';

const report = join(root, 'node_modules', '.cache', 'mentorhub', 'test-report.json');

await main(async () => {
  const parameters = process.argv.slice(2);
  await ensureInstalled();
  try {
    await ensureBuilt();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    console.error(error.message);
    say('0 passed, 1 failed');
    return 1;
  }
  let failedChecks = 0;
  if (parameters.length === 0) {
    if (!(await check('Checking the format', 'prettier/bin/prettier.cjs', ['--check', '.']))) {
      failedChecks += 1;
    }
    if (!(await lint())) failedChecks += 1;
  }
  mkdirSync(dirname(report), { recursive: true });
  rmSync(report, { force: true });
  const exitCode = await runInTerminal(ownNode, [
    tool('vitest/vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    // Vitest leaves one core free, which on two cores means one file after the other; the tests mostly wait for others.
    // The root configuration does not reach the projects.
    `--maxWorkers=${Math.max(2, availableParallelism() - 1)}`,
    ...parameters,
  ]);
  const { passed, failed } = summarise(
    existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined,
    { failedChecks, exitCode },
  );
  say(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
});

/** The rule for module boundaries passes everything unless nx has written its project graph before. */
async function lint() {
  return (
    (await check('Reading the projects', 'nx/dist/bin/nx.js', ['show', 'projects'])) &&
    (await check('Checking types and rules', 'oxlint/bin/oxlint', ['--type-aware', '--type-check']))
  );
}

/**
 * Runs a tool, shows its output only when it finds something, and says whether it found nothing.
 *
 * @param {string} what
 * @param {string} file
 * @param {string[]} parameters
 */
async function check(what, file, parameters) {
  const end = progress(what);
  const log = join(root, '.data', 'logs', `${file.split('/')[0]}.log`);
  const { code, output } = await runQuietly(ownNode, [tool(file), ...parameters], { log });
  end(code === 0 ? 'done' : 'failed');
  if (code !== 0) console.error(output.trim());
  return code === 0;
}
