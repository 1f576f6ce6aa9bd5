import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { isAlive } from './guard.js';
import { Backoff, type Crash, type ProcessListener, SupervisedProcess } from './supervisor.js';

describe('the pauses before a restart', () => {
  it('double from half a second to ten seconds', () => {
    const backoff = new Backoff();
    expect(Array.from({ length: 7 }, () => backoff.after(1_000))).toEqual([
      500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000,
    ]);
  });

  it('begin anew after half a minute without a crash', () => {
    const backoff = new Backoff();
    backoff.after(0);
    backoff.after(0);
    expect(backoff.after(30_000)).toBe(500);
  });
});

function supervise(code: string, listener: ProcessListener = {}): SupervisedProcess {
  const supervised = new SupervisedProcess(
    {
      name: 'fixture',
      command: process.execPath,
      parameters: ['-e', code],
      environment: process.env,
      directory: process.cwd(),
    },
    listener,
    { first: 10, longest: 20, resetAfter: 30_000 },
  );
  onTestFinished(() => supervised.stop(1_000));
  supervised.start();
  return supervised;
}

describe('a supervised process', () => {
  it('is started again after it was killed, and that is said', async () => {
    const crashes: Crash[] = [];
    const supervised = supervise('setInterval(() => {}, 1000)', {
      onCrash: (crash) => crashes.push(crash),
    });
    const first = supervised.pid;

    await supervised.kill();

    await vi.waitFor(() => expect(supervised.pid).toBeGreaterThan(0));
    expect(supervised.pid).not.toBe(first);
    expect(supervised.restarts).toBe(1);
    expect(crashes).toMatchObject([{ name: 'fixture', reason: 'SIGKILL', restartsIn: 10 }]);
  });

  it('reports its last output when it crashes', async () => {
    const crashes: Crash[] = [];
    supervise('console.log("one"); console.error("two"); process.exitCode = 3', {
      onCrash: (crash) => crashes.push(crash),
    });
    await vi.waitFor(() => expect(crashes.length).toBeGreaterThan(0), 5_000);
    expect(crashes[0]).toMatchObject({ reason: 'exit code 3' });
    expect(crashes[0]?.lastLines.toSorted()).toEqual(['one', 'two']);
  });

  it('is not started again for a configuration error', async () => {
    const supervised = supervise('process.exit(78)');
    await vi.waitFor(() => expect(supervised.givenUp?.reason).toBe('exit code 78'), 5_000);
    expect(supervised.givenUp?.restartsIn).toBeUndefined();
  });

  it('is gone after it was stopped, also when it does not listen', async () => {
    const lines: string[] = [];
    const supervised = supervise(
      'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up")',
      { onLine: (line) => lines.push(line) },
    );
    const { pid } = supervised;
    await vi.waitFor(() => expect(lines).toEqual(['up']), 5_000);
    await supervised.stop(100);
    expect(pid).toBeGreaterThan(0);
    expect(isAlive(pid ?? 0)).toBe(false);
    expect(supervised.restarts).toBe(0);
  });
});
