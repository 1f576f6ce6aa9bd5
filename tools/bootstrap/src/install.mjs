import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ownNode, runQuietly } from './run-tool.mjs';
import { dataDirectory, explain, Problem, progress, root, runningSystem } from './terminal.mjs';

/** @typedef {{ version?: string, optional?: boolean, link?: boolean, resolved?: string }} LockEntry */

/**
 * Whether node_modules holds what package-lock.json asks for, read from the list that npm leaves there
 * at the end of an installation. Optional packages are made for some machine, not always this one.
 *
 * @param {Record<string, LockEntry>} wanted
 * @param {Record<string, LockEntry>} installed
 */
export function isCurrent(wanted, installed) {
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes('node_modules/')) return true;
    const there = installed[path];
    if (there === undefined) return entry.optional === true;
    return there.version === entry.version && there.resolved === entry.resolved;
  });
}

/** @param {string} file @returns {Record<string, LockEntry>} */
function packagesIn(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

function isInstalled() {
  const list = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(list) || !existsSync(ownNode)) return false;
  return isCurrent(packagesIn(join(root, 'package-lock.json')), packagesIn(list));
}

/**
 * Installs the packages of package-lock.json with `npm ci` unless they are there.
 *
 * @throws {Problem}
 */
export async function ensureInstalled() {
  if (isInstalled()) return;
  const running = runningSystem(dataDirectory());
  if (running !== undefined) {
    throw new Problem(
      `The packages have to be installed anew, but MentorHub is running (process ${running}). Stop it first.`,
    );
  }
  try {
    accessSync(root, constants.W_OK);
  } catch {
    throw new Problem(explain('EACCES') ?? '');
  }
  const end = progress('Installing packages');
  const log = join(root, '.data', 'logs', 'npm-ci.log');
  const { command, parameters } = npm();
  const { code, output } = await runQuietly(
    command,
    [...parameters, 'ci', '--no-audit', '--no-fund', '--no-progress', '--loglevel=warn'],
    { log, environment: { ...process.env, NODE_ENV: '' } },
  );
  if (code === 0 && existsSync(ownNode)) {
    end('done');
    return;
  }
  end('failed');
  const errors = output
    .split('\n')
    .filter((line) => /^npm (?:error|ERR!)/.test(line) && !line.includes('complete log'))
    .slice(0, 15)
    .join('\n');
  const known = explain(errors);
  const network = /ENOTFOUND|ETIMEDOUT|ECONNREFUSED|ECONNRESET|EAI_AGAIN/.test(errors)
    ? 'The package registry cannot be reached; check the network or the proxy settings of npm.'
    : undefined;
  const missing =
    code === 0
      ? 'npm ran, but the Node.js 26 that the project brings was not installed: npm may be configured not to run install scripts (npm config get ignore-scripts).'
      : undefined;
  throw new Problem(
    [known ?? network ?? missing ?? 'npm ci failed.', errors, `The whole output is in ${log}`]
      .filter(Boolean)
      .join('\n'),
  );
}

/**
 * npm on a Node.js outside node_modules, which `npm ci` removes and on Windows cannot remove while it
 * runs.
 */
function npm() {
  const inside = join(root, 'node_modules');
  const node = [
    process.env['npm_node_execpath'],
    process.execPath,
    ...(process.env['PATH'] ?? '')
      .split(delimiter)
      .map((folder) => join(folder, process.platform === 'win32' ? 'node.exe' : 'node')),
  ].find((path) => path && !path.startsWith(inside) && existsSync(path));
  const script = process.env['npm_execpath'];
  if (node && script && /npm-cli\.[cm]?js$/.test(script)) {
    return { command: node, parameters: [script] };
  }
  return process.platform === 'win32'
    ? { command: 'cmd.exe', parameters: ['/d', '/s', '/c', 'npm'] }
    : { command: 'npm', parameters: [] };
}
