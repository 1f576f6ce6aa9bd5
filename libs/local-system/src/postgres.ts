import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import {
  commandLine,
  ended,
  guard,
  isAlive,
  removeAfterwards,
  stopChild,
  waitForEnd,
} from './guard.js';
import { freePort } from './ports.js';
import {
  dataFolder,
  postgresBinaries,
  type PostgresBinaries,
  type RunAs,
} from './postgres-binaries.js';
import { explainFileError, StartProblem } from './problem.js';

export interface PostgresOptions {
  /** Holds the cluster; made when missing. A cluster that is there is used. */
  directory: string;
  /** Default: a free one. */
  port?: number;
  /** Password of the superuser; default: a random one, kept in the directory. */
  password?: string;
  /**
   * Whether the data must survive a crash of the machine. Without, nothing waits for the disk and
   * `stop` removes the directory: for tests.
   */
  persistent: boolean;
  /** PEM files with which the server encrypts connections for those who ask; default: it does not. */
  tls?: { certFile: string; keyFile: string };
  /** Called when the server ends unexpectedly. */
  onCrash?: (reason: string) => void;
}

export interface Postgres {
  /** Superuser URL of the database `postgres`. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Creates the database unless it exists, and gives its URL. */
  createDatabase(name: string): Promise<string>;
  /** Drops the database, closing the connections to it. */
  dropDatabase(name: string): Promise<void>;
  /** Stops at once, without waiting for clients, and in order. */
  stop(): Promise<void>;
  /** Stops and starts again on the same port. */
  restart(): Promise<void>;
}

const startTimeout = 60_000;
const user = 'mentorhub';
/**
 * Names of UTF-8 locales on Linux, macOS and Windows, for LC_CTYPE. Without one, `pg_trgm` takes letters beyond ASCII for
 * blanks, so that a search finds nothing written in Cyrillic; the builtin locale alone does not help it.
 */
const utf8Locales = ['C.UTF-8', 'en_US.UTF-8', 'en-US.UTF-8'];

/**
 * Starts the PostgreSQL that comes with the project and resolves when it accepts connections on
 * 127.0.0.1. It does not outlive this process. As root it runs as another user, and if that user
 * cannot enter `directory`, the data lie elsewhere and `<directory>/location` says where.
 *
 * @throws {StartProblem} for a taken port, a full disk or a folder that cannot be written to.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const binaries = await postgresBinaries();
  try {
    await mkdir(options.directory, { recursive: true });
    await giveTo(options.directory, binaries.runAs);
    const folder = await dataFolder(options.directory, binaries.runAs);
    if (folder !== options.directory) {
      await mkdir(folder, { recursive: true });
      await giveTo(folder, binaries.runAs);
      await writeFile(join(options.directory, 'location'), `${folder}\n`);
      if (!options.persistent) removeAfterwards(folder);
    }
    const cluster = new Cluster(binaries, options, folder);
    await cluster.initialise();
    await cluster.takeCertificate();
    await cluster.start();
    return cluster;
  } catch (error) {
    throw explainFileError(error, options.directory);
  }
}

/** Tries locales one after the other until this machine has one; the error of the last one if it has none. */
async function firstAccepted(
  locales: readonly string[],
  use: (locale: string) => Promise<unknown>,
): Promise<void> {
  for (const [index, locale] of locales.entries()) {
    try {
      await use(locale);
      return;
    } catch (error) {
      const unknown =
        error instanceof Error &&
        /invalid (LC_CTYPE )?locale name|could not create locale/.test(error.message);
      if (!unknown || index === locales.length - 1) throw error;
    }
  }
}

async function giveTo(folder: string, owner: RunAs | undefined): Promise<void> {
  if (owner === undefined) return;
  await chown(folder, owner.uid, owner.gid);
  await chmod(folder, 0o700);
}

class PortTaken extends Error {}

class Cluster implements Postgres {
  port = 0;
  private child: ChildProcess | undefined;
  private stopping = false;
  private password = '';
  private readonly data: string;

  constructor(
    private readonly binaries: PostgresBinaries,
    private readonly options: PostgresOptions,
    private readonly folder: string,
  ) {
    this.data = join(folder, 'data');
  }

  get url(): string {
    return this.urlOf('postgres');
  }

  get pid(): number {
    const pid = this.child?.pid;
    if (pid === undefined) throw new Error('PostgreSQL does not run');
    return pid;
  }

  /** Makes the cluster unless it is there. */
  async initialise(): Promise<void> {
    const passwordFile = join(this.folder, 'password');
    const known = (await readFile(passwordFile, 'utf8').catch(() => '')).trim();
    const complete = join(this.folder, 'complete');
    if (known !== '' && existsSync(complete)) {
      this.password = known;
      return;
    }
    // What an initdb that was interrupted left behind can only be thrown away.
    await rm(this.data, { recursive: true, force: true });
    this.password = this.options.password ?? randomBytes(24).toString('base64url');
    await this.writeOwn(passwordFile, `${this.password}\n`);
    await firstAccepted(utf8Locales, async (locale) => {
      await rm(this.data, { recursive: true, force: true });
      await this.runInitdb([
        '-D',
        this.data,
        '-U',
        user,
        '-A',
        'scram-sha-256',
        `--pwfile=${passwordFile}`,
        '--encoding=UTF8',
        // Sorting that does not depend on the machine's locales.
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        `--lc-ctype=${locale}`,
        ...(this.options.persistent ? [] : ['--no-sync']),
      ]);
    });
    await writeFile(complete, '');
  }

  /** Copies the files of TLS to where the server's user may read them. */
  async takeCertificate(): Promise<void> {
    const { tls } = this.options;
    if (tls === undefined) return;
    await this.writeOwn(this.certFile, await readFile(tls.certFile, 'utf8'));
    await this.writeOwn(this.keyFile, await readFile(tls.keyFile, 'utf8'));
  }

  async start(): Promise<void> {
    await this.clearLeftover();
    for (let tries = 1; ; tries += 1) {
      this.port = this.port || (this.options.port ?? (await freePort()));
      try {
        await this.launch();
        return;
      } catch (error) {
        if (!(error instanceof PortTaken)) throw error;
        if (this.options.port !== undefined || tries === 5) {
          throw new StartProblem(
            `Port ${this.port}, which PostgreSQL needs, is taken.`,
            'Stop what listens there, or choose another port with PORT_POSTGRES=… npm start.',
            { cause: error },
          );
        }
        this.port = 0;
      }
    }
  }

  async createDatabase(name: string): Promise<string> {
    await this.administer(async (client) => {
      const found = await client.query<{ ctype: string }>(
        'SELECT datctype AS ctype FROM pg_database WHERE datname = $1',
        [name],
      );
      const [database] = found.rows;
      if (!database) {
        // Not from template1: in a cluster of an earlier version that has the LC_CTYPE of C.
        await firstAccepted(utf8Locales, (locale) =>
          client.query(
            `CREATE DATABASE ${client.escapeIdentifier(name)} TEMPLATE template0 LC_CTYPE ${client.escapeLiteral(locale)}`,
          ),
        );
      } else if (database.ctype === 'C') {
        await this.giveLetters(client, name);
      }
    });
    return this.urlOf(name);
  }

  /**
   * Changes a database of an earlier version to a UTF-8 LC_CTYPE, and renews its indexes, which may depend on it. Sorting
   * and upper and lower case do not, as they come from the builtin locale.
   */
  private async giveLetters(client: Client, name: string): Promise<void> {
    await firstAccepted(utf8Locales, async (locale) => {
      // Fails where the machine lacks the locale.
      const [probe, lcCtype] = ['pg_temp.probe', client.escapeLiteral(locale)];
      await client.query(
        `CREATE COLLATION ${probe} (provider = libc, lc_collate = 'C', lc_ctype = ${lcCtype})`,
      );
      await client.query('UPDATE pg_database SET datctype = $2 WHERE datname = $1', [name, locale]);
    });
    const inside = new Client({ connectionString: this.urlOf(name) });
    await inside.connect();
    try {
      await inside.query(`REINDEX DATABASE ${inside.escapeIdentifier(name)}`);
    } finally {
      await inside.end();
    }
  }

  async dropDatabase(name: string): Promise<void> {
    await this.administer(async (client) => {
      await client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(name)} WITH (FORCE)`);
    });
  }

  async stop(): Promise<void> {
    this.stopping = true;
    const { child } = this;
    if (child !== undefined) {
      // SIGINT is PostgreSQL's fast shutdown: clients are sent away, everything is on disk after it.
      await stopChild(child, 'SIGINT', 20_000);
      this.child = undefined;
    }
    if (!this.options.persistent) {
      await rm(this.folder, { recursive: true, force: true });
      await rm(this.options.directory, { recursive: true, force: true });
    }
  }

  async restart(): Promise<void> {
    const { child } = this;
    this.stopping = true;
    if (child !== undefined) await stopChild(child, 'SIGINT', 20_000);
    this.child = undefined;
    await this.clearLeftover();
    await this.launch();
  }

  private get certFile(): string {
    return join(this.folder, 'tls.crt');
  }

  private get keyFile(): string {
    return join(this.folder, 'tls.key');
  }

  private urlOf(database: string): string {
    return `postgres://${user}:${this.password}@127.0.0.1:${this.port}/${database}`;
  }

  private async administer(work: (client: Client) => Promise<void>): Promise<void> {
    const client = new Client({ connectionString: this.url });
    await client.connect();
    try {
      await work(client);
    } finally {
      await client.end();
    }
  }

  private async writeOwn(path: string, text: string): Promise<void> {
    await writeFile(path, text, { mode: 0o600 });
    const { runAs } = this.binaries;
    if (runAs) await chown(path, runAs.uid, runAs.gid);
  }

  private async runInitdb(parameters: string[]): Promise<void> {
    const child = this.spawn(this.binaries.initdb, parameters);
    let output = '';
    const collect = (text: string): void => {
      output = (output + text).slice(-4_000);
    };
    child.stdout?.setEncoding('utf8').on('data', collect);
    child.stderr?.setEncoding('utf8').on('data', collect);
    let failure: Error | undefined;
    child.once('error', (error) => {
      failure = error;
    });
    await ended(child);
    if (failure !== undefined) throw failure;
    if (child.exitCode !== 0) throw this.explained(`PostgreSQL could not be set up:\n${output}`);
  }

  private async launch(): Promise<void> {
    const child = this.spawn(this.binaries.postgres, ['-D', this.data, ...this.settings()]);
    this.child = child;
    this.stopping = false;
    child.stdout?.resume();
    await new Promise<void>((resolve, reject) => {
      let log = '';
      let ready = false;
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        reject(new Error(`PostgreSQL was not ready within ${startTimeout} ms:\n${log}`));
      }, startTimeout);
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        log = (log + text).slice(-8_000);
        if (!ready && log.includes('database system is ready to accept connections')) {
          ready = true;
          clearTimeout(timer);
          resolve();
        }
      });
      child.once('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        if (this.child === child) this.child = undefined;
        if (!ready) {
          reject(
            log.includes('Address already in use') || log.includes('could not bind')
              ? new PortTaken(log)
              : this.explained(`PostgreSQL ended with ${signal ?? code}:\n${log}`),
          );
        } else if (!this.stopping) {
          this.options.onCrash?.(signal ?? `exit code ${code}`);
        }
      });
    });
  }

  private spawn(binary: string, parameters: string[]): ChildProcess {
    const child = spawn(binary, parameters, {
      ...this.binaries.runAs,
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      windowsHide: true,
      // We read its messages; other PG variables of the user's environment must not steer it.
      env: { PATH: process.env['PATH'], SystemRoot: process.env['SystemRoot'], LC_ALL: 'C' },
    });
    guard(child, 'SIGINT');
    return child;
  }

  private settings(): string[] {
    const settings: Record<string, string | number> = {
      port: this.port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: 400,
      timezone: 'UTC',
      log_timezone: 'UTC',
      lc_messages: 'C',
      // Compiling short queries costs more than running them.
      jit: 'off',
      wal_level: 'minimal',
      max_wal_senders: 0,
      shared_buffers: '128MB',
      ...(this.options.tls && {
        ssl: 'on',
        ssl_cert_file: this.certFile,
        ssl_key_file: this.keyFile,
      }),
      ...(this.options.persistent
        ? {}
        : {
            fsync: 'off',
            synchronous_commit: 'off',
            full_page_writes: 'off',
            max_wal_size: '4GB',
          }),
    };
    return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  }

  /**
   * A killed run leaves a `postmaster.pid`, and sometimes a living server. The server is stopped; the
   * file is removed when its process is gone or is something else by now, which PostgreSQL itself
   * takes for a running server (process ids repeat quickly in containers).
   */
  private async clearLeftover(): Promise<void> {
    const file = join(this.data, 'postmaster.pid');
    const text = await readFile(file, 'utf8').catch(() => '');
    const pid = Number(text.split('\n')[0]);
    if (!(pid > 0)) return;
    if (isAlive(pid) && commandLine(pid).includes(this.data)) {
      process.kill(pid, 'SIGINT');
      if (!(await waitForEnd(pid, 15_000))) {
        process.kill(pid, 'SIGQUIT');
        if (!(await waitForEnd(pid, 5_000))) process.kill(pid, 'SIGKILL');
      }
      await waitForEnd(pid, 5_000);
      // Its backends notice within moments that it is gone and let go of the shared memory.
      await delay(200);
    }
    await rm(file, { force: true });
  }

  private explained(message: string): Error {
    if (message.includes('No space left on device')) {
      const full = Object.assign(new Error(message), { code: 'ENOSPC' });
      const problem = explainFileError(full, this.folder);
      return problem instanceof Error ? problem : full;
    }
    return new Error(message);
  }
}
