import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { commandLine, guard, isAlive, stopChild, waitForEnd } from './guard.js';
import { findNatsServer } from './nats-server.js';
import { freePort } from './ports.js';
import { StartProblem } from './problem.js';

export interface NatsOptions {
  /** Holds the configuration, the log and the JetStream store; made when missing. */
  directory: string;
  /** The nats-server to run; default: what {@link findNatsServer} finds. */
  binary?: string;
  /** Default: a free one, which is kept over restarts. */
  port?: number;
  /** Default: 127.0.0.1. */
  host?: string;
  /**
   * The text of the configuration file, for example with users and permissions. It must contain the
   * port and the store it is given. Default: JetStream, and no users.
   */
  config?: (port: number, storeDirectory: string) => string;
  /** Called when the process ends unexpectedly. */
  onCrash?: (reason: string) => void;
}

export interface Nats {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Stops it in order and resolves when the process is gone. The store stays. */
  stop(): Promise<void>;
  /** Kills it as `kill -9` does. */
  kill(): Promise<void>;
  /** Starts it again on the same port, after stopping it if it runs; `wipe` empties the store. */
  restart(options?: { wipe?: boolean }): Promise<void>;
}

const startTimeout = 15_000;

class PortTaken extends Error {}

/**
 * Starts a nats-server with JetStream and resolves when it accepts connections. It does not outlive
 * this process. A server left over from an earlier, killed run in the same directory is ended first.
 *
 * @throws {StartProblem} when the given port is taken or no nats-server can be found.
 */
export async function startNats(options: NatsOptions): Promise<Nats> {
  const binary = options.binary ?? (await findNatsServer());
  await mkdir(options.directory, { recursive: true });
  await endLeftover(options.directory);
  for (let tries = 1; ; tries += 1) {
    const server = new NatsServer(binary, options, options.port ?? (await freePort(options.host)));
    try {
      await server.start();
      return server;
    } catch (error) {
      if (!(error instanceof PortTaken)) throw error;
      if (options.port !== undefined) {
        throw new StartProblem(
          `Port ${options.port}, which NATS needs, is taken.`,
          'Stop what listens there, or choose another port with PORT_NATS=… npm start.',
          { cause: error },
        );
      }
      if (tries === 5) throw error;
    }
  }
}

class NatsServer implements Nats {
  private child: ChildProcess | undefined;
  private stopping = false;
  private readonly host: string;
  private readonly storeDirectory: string;
  private readonly configFile: string;

  constructor(
    private readonly binary: string,
    private readonly options: NatsOptions,
    readonly port: number,
  ) {
    this.host = options.host ?? '127.0.0.1';
    this.storeDirectory = join(options.directory, 'store');
    this.configFile = join(options.directory, 'nats.conf');
  }

  get url(): string {
    return `nats://${this.host === '0.0.0.0' ? '127.0.0.1' : this.host}:${this.port}`;
  }

  get pid(): number {
    const pid = this.child?.pid;
    if (pid === undefined) throw new Error('nats-server does not run');
    return pid;
  }

  async start(): Promise<void> {
    const makeConfig = this.options.config ?? this.plainConfig.bind(this);
    await writeFile(this.configFile, makeConfig(this.port, this.storeDirectory), { mode: 0o600 });
    const child = spawn(this.binary, ['-c', this.configFile], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
      windowsHide: true,
    });
    guard(child, 'SIGTERM');
    this.child = child;
    this.stopping = false;
    let log = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-8_000);
    });
    let ready = false;
    let failure: Error | undefined;
    child.once('error', (error) => {
      failure = error;
    });
    child.once('exit', (code, signal) => {
      failure ??= new Error(`nats-server ended with ${signal ?? code}:\n${log}`);
      if (this.child === child) this.child = undefined;
      if (ready && !this.stopping) this.options.onCrash?.(signal ?? `exit code ${code}`);
    });
    const deadline = Date.now() + startTimeout;
    while (!(await accepts(this.port, this.host))) {
      if (failure === undefined && Date.now() > deadline) {
        failure = new Error(`nats-server was not ready within ${startTimeout} ms:\n${log}`);
      }
      if (failure !== undefined) {
        await this.end('SIGKILL');
        throw log.includes('address already in use') ? new PortTaken(failure.message) : failure;
      }
      await delay(15);
    }
    // Another server may have answered on that port; ours has ended by now or soon does.
    if (log.includes('address already in use')) {
      await this.end('SIGKILL');
      throw new PortTaken(log);
    }
    ready = true;
    await writeFile(join(this.options.directory, 'nats.pid'), String(this.pid));
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  async restart(options: { wipe?: boolean } = {}): Promise<void> {
    await this.stop();
    if (options.wipe === true) await rm(this.storeDirectory, { recursive: true, force: true });
    await this.start();
  }

  private async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.stopping = true;
    const { child } = this;
    if (child === undefined) return;
    if (signal === 'SIGKILL') child.kill('SIGKILL');
    await stopChild(child, 'SIGTERM', 5_000);
    this.child = undefined;
    await rm(join(this.options.directory, 'nats.pid'), { force: true });
  }

  private plainConfig(port: number, storeDirectory: string): string {
    return [
      `host: ${JSON.stringify(this.host)}`,
      `port: ${port}`,
      `jetstream { store_dir: ${JSON.stringify(storeDirectory)} }`,
      '',
    ].join('\n');
  }
}

/** Ends the server of an earlier run whose parent was killed in a way that left it behind. */
async function endLeftover(directory: string): Promise<void> {
  const file = join(directory, 'nats.pid');
  const pid = Number(await readFile(file, 'utf8').catch(() => ''));
  if (pid > 0 && isAlive(pid) && commandLine(pid).includes(join(directory, 'nats.conf'))) {
    process.kill(pid, 'SIGTERM');
    if (!(await waitForEnd(pid, 5_000))) process.kill(pid, 'SIGKILL');
    await waitForEnd(pid, 5_000);
  }
  await rm(file, { force: true });
}

/** Whether a NATS server greets on that port. */
function accepts(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: host === '0.0.0.0' ? '127.0.0.1' : host });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => done(false));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
    socket.once('data', (bytes) => done(bytes.toString('utf8').startsWith('INFO')));
  });
}
