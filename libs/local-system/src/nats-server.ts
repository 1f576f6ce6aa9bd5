import { execFile, execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { StartProblem } from './problem.js';

const run = promisify(execFile);

export interface FindNatsServerOptions {
  /** Where a fetched nats-server is kept; default: `mentorhub` in the user's cache folder. */
  folder?: string;
  /** The PATH to look through; default: that of this process. */
  path?: string;
  /** Whether it may be fetched with apt-get when it is nowhere; default: true. */
  fetch?: boolean;
  /** Called with a short text before a step that takes time. */
  onProgress?: (message: string) => void;
}

const fileName = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server';

/** Debian installs nats-server into /usr/sbin, which is not on an ordinary user's PATH. */
const systemFolders = process.platform === 'win32' ? [] : ['/usr/sbin', '/usr/local/sbin'];

/** The per-user folder in which this project keeps what it had to fetch. */
export function cacheFolder(): string {
  const base =
    process.env['XDG_CACHE_HOME'] ??
    (process.platform === 'win32'
      ? (process.env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'))
      : join(homedir(), '.cache'));
  return join(base, 'mentorhub');
}

/**
 * The path of a nats-server binary: on the PATH, in our own folder, or fetched from the package
 * archive of Debian or Ubuntu and unpacked there, which needs no root.
 *
 * @throws {StartProblem} with the command to install it when there is none and none can be fetched.
 */
export async function findNatsServer(options: FindNatsServerOptions = {}): Promise<string> {
  const folder = options.folder ?? join(cacheFolder(), 'bin');
  const onPath = (options.path ?? process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const searched = options.path === undefined ? [...onPath, ...systemFolders] : onPath;
  for (const candidate of [...searched, folder]) {
    const binary = join(candidate, fileName);
    if (isExecutable(binary) && answers(binary)) return binary;
  }
  let reason = '';
  if (options.fetch !== false && process.platform === 'linux' && existsSync('/usr/bin/apt-get')) {
    try {
      return await fetchWithApt(folder, options.onProgress ?? (() => undefined));
    } catch (error) {
      reason = ` Fetching it with apt-get failed: ${shortReason(error)}`;
    }
  }
  throw new StartProblem(
    `nats-server, the message broker, is not installed.${reason}`,
    [
      'Install it and start again:',
      '  macOS          brew install nats-server',
      '  Windows        winget install NATSAuthors.NATSServer   (or: choco install nats-server)',
      '  Debian, Ubuntu sudo apt-get install nats-server',
      '  Docker         docker run -d -p 4222:4222 nats:2 -js',
      '                 and then: NATS_URL=nats://localhost:4222 npm start',
      `A nats-server binary in ${folder} is used as well.`,
    ].join('\n'),
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function answers(binary: string): boolean {
  try {
    return execFileSync(binary, ['--version'], { encoding: 'utf8', timeout: 10_000 }).includes(
      'nats-server',
    );
  } catch {
    return false;
  }
}

/**
 * Uses the machine's package lists, and where it has none (as in container images) lists of our own,
 * so that an ordinary user can fetch too.
 */
async function fetchWithApt(
  folder: string,
  onProgress: (message: string) => void,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, 'fetch-'));
  const apt = async (...parameters: string[]): Promise<void> => {
    await run('apt-get', parameters, { cwd: work, timeout: 240_000 });
  };
  try {
    onProgress('fetching nats-server with apt-get');
    try {
      await apt('download', '-qq', 'nats-server');
    } catch {
      onProgress('fetching package lists for nats-server');
      const own = await ownLists(work);
      await apt(...own, 'update', '-qq');
      await apt(...own, 'download', '-qq', 'nats-server');
    }
    const archive = (await readdir(work)).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt-get downloaded no package');
    await run('dpkg-deb', ['-x', join(work, archive), join(work, 'unpacked')]);
    const binary = await firstExecutable(join(work, 'unpacked'));
    const target = join(folder, fileName);
    await copyFile(binary, `${target}.new`);
    await chmod(`${target}.new`, 0o755);
    await rename(`${target}.new`, target);
    if (!answers(target)) throw new Error('the downloaded nats-server does not run here');
    return target;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Options that make apt-get keep lists and archives in a folder of ours. */
async function ownLists(work: string): Promise<string[]> {
  const state = join(work, 'apt');
  await mkdir(join(state, 'lists', 'partial'), { recursive: true });
  await mkdir(join(state, 'cache', 'archives', 'partial'), { recursive: true });
  return [
    '-o',
    `Dir::State::lists=${join(state, 'lists')}`,
    '-o',
    `Dir::Cache=${join(state, 'cache')}`,
    '-o',
    `Debug::NoLocking=true`,
    // apt would otherwise switch to the user _apt, who cannot enter our folder.
    '-o',
    `APT::Sandbox::User=`,
  ];
}

async function firstExecutable(unpacked: string): Promise<string> {
  for (const entry of await readdir(unpacked, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name === fileName) return join(entry.parentPath, entry.name);
  }
  throw new Error('the downloaded package holds no nats-server');
}

function shortReason(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const text = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : error.message;
  return text.trim().split('\n').slice(-2).join(' ');
}
