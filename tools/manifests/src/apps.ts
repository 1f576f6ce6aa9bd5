import { tmpdir } from 'node:os';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { pathToFileURL } from 'node:url';
import { type AppName, appNames, workspaceRoot } from '@mentorhub/local-system';
import type { describeVariables } from '@mentorhub/service-kit';
import { createUser } from '@nats-io/nkeys';

export type Variables = Parameters<typeof describeVariables>[0];

/** What the code of an app says about its configuration. */
export interface App {
  name: AppName;
  /** Its own list, which its documentation is made from as well. */
  variables: Variables;
  /** Reads an environment as the app does. @throws ConfigurationError that lists what is wrong */
  readConfig: (environment: Record<string, string>) => Record<string, unknown>;
  /** The names of the metrics that are its own. */
  metrics: ReadonlySet<string>;
}

/** The built apps, by name. */
export async function readApps(): Promise<Map<string, App>> {
  const apps = await Promise.all(
    appNames.map(async (name) => {
      const built = join(workspaceRoot, 'apps', name, 'dist');
      const config = pathToFileURL(join(built, 'config.js'));
      const { variables, readConfig } = (await import(config.href)) as Pick<
        App,
        'variables' | 'readConfig'
      >;
      return { name, variables, readConfig, metrics: await readMetrics(join(built, 'metrics.js')) };
    }),
  );
  return new Map(apps.map((app) => [app.name, app]));
}

/** What a module exports are metrics of prom-client, which have their name. */
async function readMetrics(file: string): Promise<Set<string>> {
  if (!existsSync(file)) return new Set();
  const exported = (await import(pathToFileURL(file).href)) as Record<string, { name?: string }>;
  return new Set(Object.values(exported).flatMap(({ name }) => name ?? []));
}

/** A variable as it may stand in an environment. */
export interface KnownVariable {
  /** The name in the app's list. */
  declared: string;
  secret: boolean;
  /** Whether it has the path of the file with the secret. */
  file: boolean;
}

/** All names that an app reads. */
export function knownVariables({ variables }: App): Map<string, KnownVariable> {
  const known = new Map<string, KnownVariable>();
  for (const [declared, { readFrom, secret }] of Object.entries(variables)) {
    for (const name of readFrom?.map((source) => source.name) ?? [declared]) {
      known.set(name, { declared, secret, file: false });
      if (secret) known.set(`${name}_FILE`, { declared, secret, file: true });
    }
  }
  return known;
}

/** Of a user whom no server knows. */
const sampleSeed = new TextDecoder().decode(createUser().getSeed());

/** A value for a secret that the app would take: the real one is not in the manifests. */
export function sampleSecret({ variables }: App, declared: string): string {
  if (declared === 'NATS_NKEY_SEED') return sampleSeed;
  const { spec } = variables[declared] ?? {};
  return spec?.example ?? 'Sample-of-a-secret-7391-with-enough-characters';
}

/** Runs with a file that has a certificate, for variables whose file the app reads at its start. */
export function withCertificateFile<T>(use: (file: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'mentorhub-manifests-'));
  try {
    const file = join(directory, 'ca.crt');
    writeFileSync(file, rootCertificates[0] ?? '');
    return use(file);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
