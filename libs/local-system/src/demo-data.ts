import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import type { DatabaseUrls } from './databases.js';
import type { ServiceName } from './workspace.js';

const run = promisify(execFile);

/** An account of the demo data, to sign in with. */
export interface DemoAccount {
  role: string;
  email: string;
  password: string;
}

/** Whose demo data there is, in the order in which it builds on each other. */
const sources = ['identity', 'mentorship', 'payments'] as const satisfies ServiceName[];
type Source = (typeof sources)[number];

/** What was loaded into which databases. */
interface Loaded {
  accounts: DemoAccount[];
  /** Changes when a database is made anew. */
  databases: Partial<Record<Source, string>>;
}

export interface DemoDataOptions {
  root: string;
  dataDirectory: string;
  databases: Pick<DatabaseUrls, Source>;
  environmentOf: (service: ServiceName) => NodeJS.ProcessEnv;
  onProgress: (message: string) => void;
}

/**
 * Loads the demo data, once per data folder, and gives the accounts in it. When a database was made anew since, each
 * service adds what its own lacks. The services must have their migrations behind them.
 */
export async function loadDemoData(options: DemoDataOptions): Promise<DemoAccount[]> {
  const file = join(options.dataDirectory, 'demo-data.json');
  const before = await loadedBefore(file);
  const databases = await identifyAll(options.databases);
  if (before && sources.every((source) => before.databases[source] === databases[source])) {
    return before.accounts;
  }
  let accounts: DemoAccount[];
  try {
    accounts = await load(options);
  } catch (error) {
    if (!before) throw error;
    // As when a demo account is somebody's own by now: what there is can be used without.
    options.onProgress(`the demo data could not be completed: ${reasonOf(error)}`);
    return before.accounts;
  }
  const loaded: Loaded = { accounts, databases };
  await writeFile(file, `${JSON.stringify(loaded, null, 2)}\n`, { mode: 0o600 });
  return accounts;
}

async function load(options: DemoDataOptions): Promise<DemoAccount[]> {
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
  return accounts;
}

async function identifyAll(urls: DemoDataOptions['databases']): Promise<Loaded['databases']> {
  const ids = sources.map(async (source) => [source, await identify(urls[source])] as const);
  return Object.fromEntries(await Promise.all(ids));
}

/** Another one for another database, and after its tables were dropped and made again. */
async function identify(url: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ id: string }>(
      `SELECT concat_ws('.', oid, to_regclass('outbox')::oid) AS id FROM pg_database
       WHERE datname = current_database()`,
    );
    return rows[0]?.id ?? '';
  } finally {
    await client.end();
  }
}

/** @returns undefined when nothing was, or what the file says of it cannot be read */
async function loadedBefore(file: string): Promise<Loaded | undefined> {
  try {
    const { accounts, databases = {} } = JSON.parse(
      await readFile(file, 'utf8'),
    ) as Partial<Loaded>;
    return Array.isArray(accounts) ? { accounts, databases } : undefined;
  } catch {
    return undefined;
  }
}

/** What a script that failed logged last. */
function reasonOf(error: unknown): string {
  const { stderr } = error as { stderr?: string };
  const line = stderr?.trim().split('\n').at(-1) ?? '';
  try {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
    return err?.message ?? msg ?? line;
  } catch {
    return line || String(error);
  }
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
