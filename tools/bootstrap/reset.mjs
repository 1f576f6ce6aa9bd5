/* npm run reset: removes the data of the local system, after asking (--yes: without). */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { dataDirectory, main, Problem, runningSystem, say } from './src/terminal.mjs';

await main(async () => {
  const directory = dataDirectory();
  const running = runningSystem(directory);
  if (running !== undefined) {
    throw new Problem(
      `MentorHub is running on these data (process ${running}). Stop it first, with Ctrl-C in its terminal or: kill ${running}`,
    );
  }
  if (!existsSync(directory)) {
    say(`There is nothing to remove: ${directory} does not exist.`);
    return 0;
  }
  if (!process.argv.includes('--yes') && !(await isConfirmed(directory))) {
    say('Nothing was removed.');
    return 1;
  }
  const elsewhere = databaseElsewhere(directory);
  if (elsewhere !== undefined) rmSync(elsewhere, { recursive: true, force: true });
  rmSync(directory, { recursive: true, force: true });
  say('Removed. The next npm start begins with fresh demo data.');
  return 0;
});

/** @param {string} directory */
async function isConfirmed(directory) {
  if (!process.stdin.isTTY) {
    throw new Problem(
      'There is no terminal to ask in. To remove without asking: npm run reset -- --yes',
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(
    `This removes all accounts, bookings, messages and mails in ${directory}. Go on? [y/N] `,
  );
  terminal.close();
  return /^y(?:es)?$/i.test(answer.trim());
}

/**
 * For a clone in a private folder of root's, the database lies elsewhere and a file says where.
 *
 * @param {string} directory
 */
function databaseElsewhere(directory) {
  const file = join(directory, 'postgres', 'location');
  if (!existsSync(file)) return undefined;
  const location = readFileSync(file, 'utf8').trim();
  return /\/mentorhub\/data-[\da-f]{12}$/.test(location) ? location : undefined;
}
