import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { ended, guard, stopChild } from './guard.js';

export interface BackoffSettings {
  /** The first pause, in milliseconds; each further one is twice as long. */
  first: number;
  /** The longest pause. */
  longest: number;
  /** After so long a run without a crash, the next pause is the first one again. */
  resetAfter: number;
}

export const defaultBackoff: BackoffSettings = { first: 500, longest: 10_000, resetAfter: 30_000 };

/** The pauses before a crashed process is started again. */
export class Backoff {
  private pause = 0;

  constructor(private readonly settings: BackoffSettings = defaultBackoff) {}

  /** The pause after a run that lasted `milliseconds`. */
  after(milliseconds: number): number {
    const { first, longest, resetAfter } = this.settings;
    this.pause =
      milliseconds >= resetAfter || this.pause === 0 ? first : Math.min(this.pause * 2, longest);
    return this.pause;
  }
}

/** A start that cannot succeed until somebody changes the configuration (EX_CONFIG of sysexits.h). */
const configurationError = 78;

export interface ProcessDefinition {
  /** For messages: `identity`, `api-gateway 2`. */
  name: string;
  command: string;
  parameters: string[];
  environment: NodeJS.ProcessEnv;
  directory: string;
}

export interface Crash {
  name: string;
  /** `SIGKILL`, `exit code 1`. */
  reason: string;
  /** What it wrote last, at most 20 lines. */
  lastLines: string[];
  /** When it is started again, in milliseconds from now; undefined: it is not. */
  restartsIn: number | undefined;
}

export interface ProcessListener {
  /** Every line that the process writes. */
  onLine?(this: void, line: string): void;
  /** The process ended unexpectedly. */
  onCrash?(this: void, crash: Crash): void;
  /** The process was started, the first time or again. */
  onStart?(this: void, pid: number): void;
}

/** Keeps one process running: starts it again with growing pauses whenever it ends by itself. */
export class SupervisedProcess {
  private child: ChildProcess | undefined;
  private wanted = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly backoff: Backoff;
  private lines: string[] = [];
  /** How often it was started again after a crash. */
  restarts = 0;
  /** Set when the process ended in a way that starting it again does not help. */
  givenUp: Crash | undefined;

  constructor(
    private readonly definition: ProcessDefinition,
    private readonly listener: ProcessListener = {},
    backoff: BackoffSettings = defaultBackoff,
  ) {
    this.backoff = new Backoff(backoff);
  }

  get name(): string {
    return this.definition.name;
  }

  /** The process id, or undefined while it is not running. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** What the process wrote last, also over restarts. */
  get lastLines(): readonly string[] {
    return this.lines;
  }

  start(): void {
    this.wanted = true;
    this.givenUp = undefined;
    if (this.child === undefined) this.launch();
  }

  /** Sends SIGTERM, and SIGKILL after `milliseconds`; resolves when the process is gone, for good. */
  async stop(milliseconds = 25_000): Promise<void> {
    this.wanted = false;
    clearTimeout(this.timer);
    if (this.child !== undefined) await stopChild(this.child, 'SIGTERM', milliseconds);
  }

  /** Stops it in order and starts it again. */
  async restart(): Promise<void> {
    await this.stop();
    this.start();
  }

  /** Sends a signal; the process is started again when it ends of it. Resolves when it has ended. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    child.kill(signal);
    await ended(child);
  }

  private launch(): void {
    const { command, parameters, environment, directory } = this.definition;
    const startedAt = Date.now();
    const child = spawn(command, parameters, {
      env: environment,
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      windowsHide: true,
    });
    guard(child, 'SIGTERM');
    this.child = child;
    this.read(child.stdout);
    this.read(child.stderr);
    if (child.pid !== undefined) this.listener.onStart?.(child.pid);
    let over = false;
    const finish = (reason: string, final: boolean): void => {
      if (over) return;
      over = true;
      if (this.wanted && this.child === undefined)
        this.crashed(reason, Date.now() - startedAt, final);
    };
    const forget = (): void => {
      if (this.child === child) this.child = undefined;
    };
    child.once('error', (error) => {
      if (child.pid !== undefined) return;
      forget();
      finish(error.message, true);
    });
    // Not `close`: that also waits for processes that inherited the output.
    child.once('exit', (code, signal) => {
      forget();
      // The last lines are still in the pipe.
      setImmediate(() => finish(signal ?? `exit code ${code}`, code === configurationError));
    });
  }

  private crashed(reason: string, ranFor: number, final: boolean): void {
    const restartsIn = final ? undefined : this.backoff.after(ranFor);
    const crash = { name: this.name, reason, lastLines: [...this.lines], restartsIn };
    if (restartsIn === undefined) {
      this.givenUp = crash;
    } else {
      this.timer = setTimeout(() => {
        if (!this.wanted || this.child !== undefined) return;
        this.restarts += 1;
        this.launch();
      }, restartsIn);
    }
    this.listener.onCrash?.(crash);
  }

  private read(stream: Readable | null): void {
    if (stream === null) return;
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
      this.lines.push(line);
      if (this.lines.length > 20) this.lines.shift();
      this.listener.onLine?.(line);
    });
  }
}
