import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { root } from './terminal.mjs';

const folder = join(root, 'node_modules');

/** The Node.js that the project brings along. */
export const ownNode = join(
  folder,
  'node',
  'bin',
  process.platform === 'win32' ? 'node.exe' : 'node',
);

/** The file of a tool's command, to be run with {@link ownNode}. @param {string} path */
export const tool = (path) => join(folder, ...path.split('/'));

/** The environment with our own Node.js and tools first on the PATH. */
export function toolEnvironment() {
  const path = [dirname(ownNode), join(folder, '.bin'), process.env['PATH'] ?? ''].join(delimiter);
  return { ...process.env, PATH: path };
}

/** Keeps a signal from ending us. */
const wait = () => undefined;

/**
 * Runs a command with the terminal as its own and gives its exit code. It is passed the signals that
 * reach us alone; a Ctrl-C reaches it by itself, and we wait until it has ended.
 *
 * @param {string} command
 * @param {string[]} parameters
 * @param {{ environment?: NodeJS.ProcessEnv, linked?: boolean }} [options] `linked` opens a channel, by
 *   whose end the command learns that we are gone
 * @returns {Promise<number>}
 */
export function runInTerminal(command, parameters, options = {}) {
  const child = spawn(command, parameters, {
    cwd: root,
    env: options.environment ?? toolEnvironment(),
    stdio: options.linked ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit',
  });
  const pass = (/** @type {NodeJS.Signals} */ signal) => void child.kill(signal);
  process.on('SIGINT', wait);
  process.on('SIGTERM', pass);
  process.on('SIGHUP', pass);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      process.off('SIGINT', wait);
      process.off('SIGTERM', pass);
      process.off('SIGHUP', pass);
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143));
    });
  });
}

/**
 * Runs a command without showing its output, which goes to a log file.
 *
 * @param {string} command
 * @param {string[]} parameters
 * @param {{ log: string, environment?: NodeJS.ProcessEnv }} options
 * @returns {Promise<{ code: number, output: string }>}
 */
export function runQuietly(command, parameters, { log, environment }) {
  mkdirSync(dirname(log), { recursive: true });
  const file = createWriteStream(log);
  file.on('error', () => undefined);
  const child = spawn(command, parameters, {
    cwd: root,
    env: environment ?? toolEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
      file.write(text);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      file.end();
      resolve({ code: code ?? 1, output });
    });
  });
}
