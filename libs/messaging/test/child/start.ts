import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import process from 'node:process';

export interface Child {
  /** Resolves with the signal that ended it. */
  ended: Promise<string | null>;
  kill(): void;
}

const started: ChildProcess[] = [];

/** Starts the service of `service.ts` in another process and resolves when it works. */
export async function startChild(order: object): Promise<Child> {
  const run = join(import.meta.dirname, 'run.mjs');
  const program = join(import.meta.dirname, 'service.ts');
  const child = spawn(process.execPath, [run, program, JSON.stringify(order)], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(child);
  const ended = once(child, 'exit').then(([, signal]) => signal as string | null);
  const ready = once(child.stdout, 'data');
  await Promise.race([
    ready,
    ended.then(() => {
      throw new Error('the child ended before it was ready');
    }),
  ]);
  return { ended, kill: () => void child.kill('SIGKILL') };
}

/** Kills whatever a failed test left behind. */
export function endChildren(): void {
  for (const child of started.splice(0)) child.kill('SIGKILL');
}
