import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { type AppName, guard, workspaceRoot } from '@mentorhub/local-system';
import { eventually } from '@mentorhub/testing';

/** The Node.js that the project ships. */
export const ownNode = join(workspaceRoot, 'node_modules', 'node', 'bin', 'node');

const keptLines = 200;

export interface AppProcessOptions {
  app: AppName;
  /** Tells the processes of an app apart. */
  name: string;
  /** The module to run. */
  file: string;
  /** The whole environment; needs `MANAGEMENT_PORT` to be asked whether it is ready. */
  environment: Readonly<Record<string, string>>;
}

/** A process of an app as an orchestrator runs it. It does not outlive this one. */
export class AppProcess {
  readonly app: AppName;
  readonly name: string;
  /** Resolves to the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** The last lines that it wrote. */
  readonly lines: string[] = [];
  private readonly child: ChildProcess;
  private readonly environment: Readonly<Record<string, string>>;
  private exit: number | NodeJS.Signals | undefined;

  constructor({ app, name, file, environment }: AppProcessOptions) {
    this.app = app;
    this.name = name;
    this.environment = environment;
    this.child = spawn(ownNode, [file], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    guard(this.child, 'SIGTERM');
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.keep(text));
    }
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('exit', (code, signal) => resolve((this.exit = code ?? signal ?? 1)));
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Where a gateway serves. */
  get url(): string {
    return `http://127.0.0.1:${this.environment['PORT']}`;
  }

  get managementUrl(): string {
    return `http://127.0.0.1:${this.environment['MANAGEMENT_PORT']}`;
  }

  get readyUrl(): string {
    return `${this.managementUrl}/health/ready`;
  }

  /** @throws Error with what it wrote when it ends before it is ready, or is not in time */
  async ready(timeoutMs = 60_000): Promise<this> {
    try {
      await eventually(
        `${this.name} to be ready`,
        async () => {
          if (this.exit !== undefined) throw new Error(`${this.name} ended with ${this.exit}`);
          return (await answers(this.readyUrl)) ? true : undefined;
        },
        timeoutMs,
      );
    } catch (error) {
      throw new Error(`${String(error)}\n${this.lines.join('\n')}`, { cause: error });
    }
    return this;
  }

  /** The value of a metric without labels, or of its first series. */
  async metric(name: string): Promise<number | undefined> {
    const text = await (await fetch(`${this.managementUrl}/metrics`)).text();
    const value = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1];
    return value === undefined ? undefined : Number(value);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Asks it to stop and resolves to its exit code. */
  stop(): Promise<number | NodeJS.Signals> {
    if (this.exit === undefined) this.signal('SIGTERM');
    return this.ended;
  }

  private keep(text: string): void {
    this.lines.push(...text.split('\n').filter((line) => line !== ''));
    if (this.lines.length > keptLines) this.lines.splice(0, this.lines.length - keptLines);
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Runs something that ends by itself, such as `migrate.js`. @throws Error with what it wrote unless it ends with 0 */
export async function runToEnd(options: AppProcessOptions): Promise<readonly string[]> {
  const task = new AppProcess(options);
  const code = await task.ended;
  if (code === 0) return task.lines;
  throw new Error(`${options.name} ended with ${code}:\n${task.lines.join('\n')}`);
}
