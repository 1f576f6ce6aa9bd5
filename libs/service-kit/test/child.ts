import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

export interface Exit {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A process of a fixture, with what it writes. */
export class Child {
  stdout = '';
  stderr = '';
  readonly exited: Promise<Exit>;
  private readonly process: ChildProcess;

  constructor(fixture: string, environment: Record<string, string>) {
    this.process = spawn(
      process.execPath,
      [join(import.meta.dirname, 'fixtures/dist/test/fixtures', fixture)],
      {
        env: { PATH: process.env['PATH'] ?? '', ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.exited = new Promise((resolve) =>
      this.process.on('close', (code) =>
        resolve({ code, stdout: this.stdout, stderr: this.stderr }),
      ),
    );
  }

  /** The log lines so far. */
  get lines(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  get running(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Closes our end of its standard output, and of its standard error: what it writes from now on nobody reads. */
  stopReading(): void {
    this.process.stdout?.destroy();
    this.process.stderr?.destroy();
  }

  /** Ends it whatever it does; for clean-up. */
  async end(): Promise<void> {
    if (this.running) this.kill('SIGKILL');
    await this.exited;
  }
}
