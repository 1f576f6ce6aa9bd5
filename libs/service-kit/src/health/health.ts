/** Resolves when the dependency can be used; rejects with what is wrong. */
export type HealthCheck = () => Promise<unknown>;

export interface CheckResult {
  status: 'up' | 'down';
  /** How long the check took, in milliseconds. */
  ms: number;
  /** Why it is down. */
  error?: string;
}

export interface HealthReport {
  /** `up` when new work can be taken. */
  status: 'up' | 'starting' | 'draining' | 'down';
  checks: Record<string, CheckResult>;
}

const limitMs = 2000;
const cachedMs = 1000;

export interface CheckOptions {
  /** Whether this process can take no work while the check fails. False: it is reported, no more. Default true. */
  gatesReadiness?: boolean;
}

interface Registered {
  check: HealthCheck;
  gatesReadiness: boolean;
  /** The running or latest result, and until when it is used again. */
  latest?: { result: Promise<CheckResult>; until: number };
}

/** Whether this process can take work: it has started, is not stopping, and every check that gates readiness passes. */
export class Health {
  private readonly checks = new Map<string, Registered>();
  private phase: 'starting' | 'running' | 'draining' = 'starting';

  /** Adds a check; it has 2 s, and its result is used for 1 s. */
  register(name: string, check: HealthCheck, { gatesReadiness = true }: CheckOptions = {}): void {
    this.checks.set(name, { check, gatesReadiness });
  }

  markStarted(): void {
    if (this.phase === 'starting') this.phase = 'running';
  }

  /** From now on not ready, so that no new work is sent here. */
  markDraining(): void {
    this.phase = 'draining';
  }

  /** Whether it has started and does not drain, whatever the checks say. */
  get serving(): boolean {
    return this.phase === 'running';
  }

  get draining(): boolean {
    return this.phase === 'draining';
  }

  async report(): Promise<HealthReport> {
    const checks = Object.fromEntries(
      await Promise.all(
        [...this.checks].map(
          async ([name, registered]) => [name, await latest(registered)] as const,
        ),
      ),
    );
    if (this.phase !== 'running') return { status: this.phase, checks };
    const up = [...this.checks].every(
      ([name, { gatesReadiness }]) => !gatesReadiness || checks[name]?.status === 'up',
    );
    return { status: up ? 'up' : 'down', checks };
  }
}

function latest(registered: Registered): Promise<CheckResult> {
  const now = performance.now();
  if (!registered.latest || registered.latest.until < now) {
    registered.latest = { result: run(registered.check), until: now + cachedMs };
  }
  return registered.latest.result;
}

async function run(check: HealthCheck): Promise<CheckResult> {
  const start = performance.now();
  const ms = (): number => Math.round((performance.now() - start) * 10) / 10;
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
    });
    await Promise.race([check(), late]);
    return { status: 'up', ms: ms() };
  } catch (error) {
    return {
      status: 'down',
      ms: ms(),
      error: error instanceof Error ? error.message : String(error),
    };
  } finally {
    clearTimeout(timer);
  }
}
