import { execFile, execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { StartProblem } from './problem.js';

const run = promisify(execFile);

/** A file of Debian's archive, for releases whose own package lists do not have it. */
export interface ArchivedPackage {
  /** From the root of the archive: `pool/main/…`. */
  path: string;
  /** In hexadecimal digits. A file with another one is not unpacked. */
  sha256: string;
}

/** A program that this project runs and does not bring along. */
export interface Tool {
  /** The name of its file, without `.exe`. */
  name: string;
  /** The Debian package that has it. */
  package: string;
  /** The folder of the package that has it; default: `bin` or `sbin`. */
  inFolder?: string;
  /**
   * The package by Debian's name of the architecture. With it, that file is fetched and nothing else: machines with
   * different releases then run the same version.
   */
  archived?: Partial<Record<'amd64' | 'arm64', ArchivedPackage>>;
  /** What is said when it is missing, a sentence. */
  missing: string;
  /** Makes it print its version. */
  versionArguments: readonly string[];
  /** Whether this is what it prints. */
  isVersion: (output: string) => boolean;
  /** How to install it, line by line. */
  howToInstall: readonly string[];
}

export interface FindToolOptions {
  /** Where a fetched program is kept; default: `mentorhub/bin` in the user's cache folder. */
  folder?: string;
  /** The PATH to look through; default: that of this process. */
  path?: string;
  /** Whether it may be fetched from the package archive when it is nowhere; default: true. */
  fetch?: boolean;
  /** The package archives that files with a known hash are fetched from, in this order. */
  archives?: readonly string[];
  /** Called with a short text before a step that takes time. */
  onProgress?: (message: string) => void;
}

/** Debian installs servers into /usr/sbin, which is not on an ordinary user's PATH. */
const systemFolders = process.platform === 'win32' ? [] : ['/usr/sbin', '/usr/local/sbin'];

/** The second one keeps what a newer version has replaced in the first. */
const debianArchives = [
  'http://deb.debian.org/debian',
  'https://snapshot.debian.org/archive/debian/20261101T000000Z',
];

const aptHelper = '/usr/lib/apt/apt-helper';

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
 * The path of a program: on the PATH, in our own folder, or fetched from the package archive of Debian or Ubuntu and
 * unpacked there, which needs no root.
 *
 * @throws {StartProblem} with the command to install it when there is none and none can be fetched.
 */
export async function findTool(tool: Tool, options: FindToolOptions = {}): Promise<string> {
  const folder = options.folder ?? join(cacheFolder(), 'bin');
  const onPath = (options.path ?? process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const searched = options.path === undefined ? [...onPath, ...systemFolders] : onPath;
  for (const candidate of [...searched, folder]) {
    const binary = join(candidate, fileName(tool));
    if (isExecutable(binary) && answers(tool, binary)) return binary;
  }
  let reason = '';
  if (options.fetch !== false && process.platform === 'linux' && existsSync('/usr/bin/apt-get')) {
    try {
      return await fetchTool(tool, folder, options);
    } catch (error) {
      reason = ` Fetching it with apt failed: ${shortReason(error)}`;
    }
  }
  throw new StartProblem(
    `${tool.missing}${reason}`,
    [
      'Install it and start again:',
      ...tool.howToInstall.map((line) => `  ${line}`),
      `A ${tool.name} binary in ${folder} is used as well.`,
    ].join('\n'),
  );
}

function fileName({ name }: Tool): string {
  return process.platform === 'win32' ? `${name}.exe` : name;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function answers({ versionArguments, isVersion }: Tool, binary: string): boolean {
  try {
    return isVersion(execFileSync(binary, versionArguments, { encoding: 'utf8', timeout: 10_000 }));
  } catch {
    return false;
  }
}

async function fetchTool(
  tool: Tool,
  folder: string,
  { archives = debianArchives, onProgress = () => undefined }: FindToolOptions,
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, 'fetch-'));
  try {
    onProgress(`fetching ${tool.name} with apt`);
    await (tool.archived
      ? downloadArchived(tool, work, archives)
      : download(tool, work, onProgress));
    const archive = (await readdir(work)).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('apt downloaded no package');
    await run('dpkg-deb', ['-x', join(work, archive), join(work, 'unpacked')]);
    const binary = await executableIn(join(work, 'unpacked'), tool);
    await chmod(binary, 0o755);
    if (!answers(tool, binary)) throw new Error(`the downloaded ${tool.name} does not run here`);
    // In one step: another process may be fetching it as well.
    const target = join(folder, fileName(tool));
    await rename(binary, target);
    return target;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Fetches the very file whose hash is written down. Its release need not be among those that this machine's package lists
 * and keys are for, and no list of all packages is fetched; apt's helper knows the machine's proxies and checks the hash.
 */
async function downloadArchived(
  { name, archived }: Tool,
  work: string,
  archives: readonly string[],
): Promise<void> {
  const file = { x64: archived?.amd64, arm64: archived?.arm64 }[process.arch as string];
  if (!file) throw new Error(`no package of ${name} is known for ${process.arch}`);
  const failures: unknown[] = [];
  for (const archive of archives) {
    try {
      await run(
        aptHelper,
        ['download-file', `${archive}/${file.path}`, `${name}.deb`, `SHA256:${file.sha256}`],
        { cwd: work, timeout: 240_000 },
      );
      return;
    } catch (error) {
      failures.push(error);
    }
  }
  throw failures[0];
}

/**
 * Uses the machine's package lists, and where it has none (as in container images) lists of our own,
 * so that an ordinary user can fetch too.
 */
async function download(
  tool: Tool,
  work: string,
  onProgress: (message: string) => void,
): Promise<void> {
  const apt = async (...parameters: string[]): Promise<void> => {
    await run('apt-get', parameters, { cwd: work, timeout: 240_000 });
  };
  try {
    await apt('download', '-qq', tool.package);
  } catch {
    onProgress(`fetching package lists for ${tool.name}`);
    const own = await ownLists(work);
    await apt(...own, 'update', '-qq');
    await apt(...own, 'download', '-qq', tool.package);
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

async function executableIn(unpacked: string, tool: Tool): Promise<string> {
  // Completions for shells have the same name as the program.
  const folders = tool.inFolder === undefined ? ['bin', 'sbin'] : [tool.inFolder];
  for (const entry of await readdir(unpacked, { recursive: true, withFileTypes: true })) {
    const isHere = folders.includes(basename(entry.parentPath));
    if (isHere && entry.isFile() && entry.name === fileName(tool)) {
      return join(entry.parentPath, entry.name);
    }
  }
  throw new Error(`the downloaded package holds no ${tool.name}`);
}

function shortReason(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const text = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : error.message;
  return text.trim().split('\n').slice(-2).join(' ');
}
