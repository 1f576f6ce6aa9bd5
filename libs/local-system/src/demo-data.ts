import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ServiceName } from './workspace.js';

const run = promisify(execFile);

/** An account of the demo data, to sign in with. */
export interface DemoAccount {
  role: string;
  email: string;
  password: string;
}

/** Whose demo data there is, in the order in which it builds on each other. */
const sources: readonly ServiceName[] = ['identity', 'mentorship', 'payments'];

export interface DemoDataOptions {
  root: string;
  dataDirectory: string;
  environmentOf: (service: ServiceName) => NodeJS.ProcessEnv;
  onProgress: (message: string) => void;
}

/**
 * Loads the demo data, once per data folder, and gives the accounts in it. The services must have
 * their migrations behind them.
 */
export async function loadDemoData(options: DemoDataOptions): Promise<DemoAccount[]> {
  const file = join(options.dataDirectory, 'demo-data.json');
  const known = await loadedBefore(file);
  if (known !== undefined) return known;
  options.onProgress('loading demo data');
  let accounts: DemoAccount[] = [];
  // Each gets what the one before printed: payments makes the payments of mentorship's sessions.
  let before = '';
  for (const service of sources) {
    const script = join(options.root, 'apps', service, 'dist', 'demo-data.js');
    if (!existsSync(script)) continue;
    const running = run(process.execPath, [script], {
      cwd: options.root,
      env: options.environmentOf(service),
      timeout: 180_000,
      maxBuffer: 16 * 1024 * 1024,
    });
    // One that does not read may have ended before it was all written.
    running.child.stdin?.on('error', () => undefined);
    running.child.stdin?.end(before);
    const { stdout } = await running;
    before = stdout;
    accounts = [...accounts, ...accountsIn(stdout)];
  }
  await writeFile(file, `${JSON.stringify({ accounts }, null, 2)}\n`, { mode: 0o600 });
  return accounts;
}

async function loadedBefore(file: string): Promise<DemoAccount[] | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : accountsIn(text.replaceAll('\n', ' '));
}

/** The accounts in a line of JSON among others. */
function accountsIn(output: string): DemoAccount[] {
  for (const line of output.split('\n')) {
    if (!line.includes('"accounts"')) continue;
    try {
      const value = JSON.parse(line) as { accounts?: DemoAccount[] };
      if (Array.isArray(value.accounts)) return value.accounts;
    } catch {
      continue;
    }
  }
  return [];
}
