/* Runs on whatever Node.js starts it, before anything is installed: no dependencies. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root folder of the project. */
export const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** A reason why the start cannot go on, with a remedy, as text for the terminal. */
export class Problem extends Error {}

/** @param {string} text */
export function say(text) {
  console.log(text);
}

/**
 * Says what is being done, and every while how long it has taken already, until the returned function
 * is called with the words for its end.
 *
 * @param {string} what
 * @returns {(end: string) => void}
 */
export function progress(what) {
  const startedAt = Date.now();
  const seconds = () => `${Math.round((Date.now() - startedAt) / 1000)} s`;
  const { isTTY } = process.stdout;
  if (!isTTY) say(`${what} …`);
  const show = isTTY
    ? () => process.stdout.write(`\r\u001B[K${what} … ${seconds()}`)
    : () => say(`${what} … ${seconds()}`);
  if (isTTY) show();
  const timer = setInterval(show, isTTY ? 1_000 : 15_000);
  return (end) => {
    clearInterval(timer);
    if (isTTY) process.stdout.write('\r\u001B[K');
    say(`${what}: ${end} (${seconds()})`);
  };
}

/** @throws {Problem} when this Node.js cannot run the project's tools. */
export function checkNode(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Problem(
    `This is Node.js ${version}; MentorHub needs 20.19 or newer to start (it brings its own Node.js 26 for everything else).\nInstall a newer one from https://nodejs.org and try again.`,
  );
}

/**
 * Explains a full disk or a folder that may not be written to; undefined for anything else.
 *
 * @param {string} text an error message or the output of a tool
 * @returns {string | undefined}
 */
export function explain(text) {
  if (/ENOSPC|EDQUOT|No space left on device/i.test(text)) {
    return `No space is left on the disk of ${root}. Free at least 2 GB and try again.`;
  }
  if (/EACCES|EPERM|EROFS|permission denied/i.test(text)) {
    return `A file or folder in ${root} cannot be written to.\nWork as the user who owns it, or give this user write permission: sudo chown -R "$USER" '${root}'`;
  }
  return undefined;
}

/** Where the data of the local system lie. */
export function dataDirectory() {
  const given = process.env['DATA_DIRECTORY'];
  return given ? resolve(given) : join(root, '.data');
}

/**
 * The id of the process that runs the local system on these data, or undefined.
 *
 * @param {string} directory
 * @returns {number | undefined}
 */
export function runningSystem(directory) {
  const file = join(directory, 'running.json');
  if (!existsSync(file)) return undefined;
  try {
    const { pid, born } = JSON.parse(readFileSync(file, 'utf8'));
    process.kill(pid, 0);
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
      if (!born.endsWith(` ${started}`)) return undefined;
    }
    return pid;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM' ? -1 : undefined;
  }
}

/**
 * Runs a command of the project and ends the process with its exit code.
 *
 * @param {() => Promise<number>} work gives the exit code
 */
export async function main(work) {
  try {
    checkNode();
    process.exitCode = await work();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const explained = error instanceof Problem ? text : explain(text);
    console.error(`\n${explained ?? (error instanceof Error ? error.stack : text)}`);
    process.exitCode = 1;
  }
}
