import { randomBytes } from 'node:crypto';
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AppName, appNames, type ServiceName, serviceNames } from './workspace.js';

/** What is made once per data folder and never leaves the machine. */
export interface Secrets {
  nats: Record<AppName, string>;
  databases: Record<ServiceName, string>;
  /** Seals identity's signing keys. */
  secretKey: string;
}

const random = (): string => randomBytes(32).toString('base64url');

/** The secrets kept in `directory`, readable by this user alone; missing ones are made. */
export async function loadSecrets(directory: string): Promise<Secrets> {
  const file = join(directory, 'secrets.json');
  const text = await readFile(file, 'utf8').catch(() => '{}');
  const known = JSON.parse(text) as Partial<Secrets>;
  const secrets: Secrets = {
    nats: complete(appNames, known.nats),
    databases: complete(serviceNames, known.databases),
    secretKey: known.secretKey ?? random(),
  };
  const unfinished = `${file}.new`;
  await writeFile(unfinished, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  await chmod(unfinished, 0o600);
  await rename(unfinished, file);
  return secrets;
}

function complete<Name extends string>(
  names: readonly Name[],
  known: Partial<Record<Name, string>> = {},
): Record<Name, string> {
  return Object.fromEntries(names.map((name) => [name, known[name] ?? random()])) as Record<
    Name,
    string
  >;
}
