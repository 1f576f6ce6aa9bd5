import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appNames, workspaceRoot } from '@mentorhub/local-system';
import { findKustomize, readYaml } from '@mentorhub/manifests';
import { testCertificates, type TestCertificates } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { attempt, run } from '../src/command.js';
import { appImages, Docker } from '../src/images.js';
import { Pods, type PodSpec, type Values } from '../src/pods.js';

/*
 * There is no cluster here: the containers of the pods run as their manifests say, and the rest is played. Operators make
 * certificates, Secrets and databases in `production`; here the test does, as the objects ask for it.
 */

interface KubernetesObject {
  kind: string;
  metadata: { name: string };
}

interface Workload extends KubernetesObject {
  spec: { replicas?: number; template: { spec: PodSpec } };
}

interface WithData extends KubernetesObject {
  data: Record<string, string>;
}

interface ExternalSecret extends KubernetesObject {
  spec: {
    target: { template?: { data: Record<string, string> } };
    data: { secretKey: string; remoteRef: { key: string; property: string } }[];
  };
}

interface Cluster extends KubernetesObject {
  spec: {
    postgresql: { pg_hba: string[] };
    bootstrap: {
      initdb: {
        database: string;
        owner: string;
        secret: { name: string };
        postInitSQL: string[];
        postInitApplicationSQL: string[];
      };
    };
    managed: { roles: { name: string; passwordSecret: { name: string } }[] };
  };
}

interface Certificate extends KubernetesObject {
  spec: { secretName: string; dnsNames: string[] };
}

interface Ingress extends KubernetesObject {
  spec: {
    rules: { http: { paths: { path: string; backend: { service: { name: string } } }[] } }[];
  };
}

const services = ['identity', 'mentorship', 'chat', 'notifications', 'payments'];
const docker = new Docker(inject('engine'));
const servers = inject('servers');
let version: string;
let folder: string;

beforeAll(async () => {
  version = await appImages(docker, inject('bases'));
  folder = mkdtempSync(join(tmpdir(), 'mentorhub-kubernetes-'));
  await run(join(workspaceRoot, 'deploy/compose/secrets'), [folder]);
  writeFileSync(join(folder, 'sendgrid-api-key'), 'SG.none\n');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const secret = (name: string): string => readFileSync(join(folder, name), 'utf8').trim();
const passwordIn = (name: string): string => new URL(secret(name)).password;

function imageOf(name: string): string {
  if (name.includes('/postgres:')) return servers.postgres;
  if (name.includes('/nats:')) return servers.nats;
  return name.replace(/:.*$/, `:${version}`);
}

/** An overlay whose pods run. */
class Overlay {
  readonly secrets = new Map<string, Values>();
  readonly configMaps = new Map<string, Values>();
  readonly pods: Pods;

  private constructor(
    name: string,
    readonly objects: KubernetesObject[],
  ) {
    this.pods = new Pods(docker, {
      name: `kubernetes-${name}${process.pid}`,
      image: imageOf,
      secrets: this.secrets,
      configMaps: this.configMaps,
    });
  }

  static async render(name: string): Promise<Overlay> {
    const from = join(workspaceRoot, 'k8s/overlays', name);
    const text = await run(await findKustomize(), ['build', from]);
    const overlay = new Overlay(name, readYaml(text).values as KubernetesObject[]);
    overlay.add(overlay.objects);
    return overlay;
  }

  /** Takes up Secrets and ConfigMaps. */
  add(objects: readonly KubernetesObject[]): void {
    for (const object of objects) {
      if (object.kind !== 'Secret' && object.kind !== 'ConfigMap') continue;
      const { data } = object as WithData;
      if (object.kind === 'ConfigMap') this.configMaps.set(object.metadata.name, data);
      else {
        const plain = Object.entries(data).map(
          ([key, value]) => [key, Buffer.from(value, 'base64').toString()] as const,
        );
        this.secrets.set(object.metadata.name, Object.fromEntries(plain));
      }
    }
  }

  all<T extends KubernetesObject>(kind: string): T[] {
    return this.objects.filter((object) => object.kind === kind) as T[];
  }

  podOf(name: string, kind = 'Deployment'): PodSpec {
    const found = this.all<Workload>(kind).find(({ metadata }) => metadata.name === name);
    if (found === undefined) throw new Error(`There is no ${kind} ${name}.`);
    return found.spec.template.spec;
  }

  /** Starts a pod and waits for its three probes. */
  async start(pod: string, spec: PodSpec, aliases?: readonly string[]): Promise<void> {
    await this.pods.start(pod, spec, aliases);
    await this.probe(pod, spec);
  }

  async probe(pod: string, spec: PodSpec): Promise<void> {
    const container = spec.containers[0]!;
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) {
      await this.pods.passes(pod, container, container[probe]!);
    }
  }

  url(app: string, port: string): Promise<string> {
    return this.pods.urlOf(app, this.podOf(app).containers[0]!, port);
  }
}

/** What an overlay has to do once its servers run. */
function describeApps(overlayOf: () => Overlay): void {
  it.each([...services, 'api-gateway', 'chat-gateway'])(
    'starts %s, whose three probes pass',
    async (app) => {
      const overlay = overlayOf();
      await expect(overlay.start(app, overlay.podOf(app))).resolves.toBeUndefined();
    },
  );

  it('gives a service the rows of its tables and their owner the tables', async () => {
    const owners = await overlayOf().pods.exec(
      'postgres',
      'psql',
      '--username=postgres',
      '--dbname=chat',
      '--no-align',
      '--tuples-only',
      `--command=SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'`,
    );
    expect(owners.trim()).toBe('chat_owner');
  });

  it('has an administrator, who signs in', async () => {
    const url = await overlayOf().url('api-gateway', 'http');
    const response = await fetch(`${url}/api/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        email: 'admin@mentorhub.example',
        password: secret('admin-password'),
      }),
    });
    expect(await response.json()).toMatchObject({ user: { role: 'admin' } });
  });

  it('stops every app within its grace period', async () => {
    const overlay = overlayOf();
    const stopped = await Promise.all(
      appNames.map(async (app) => [app, await overlay.pods.stop(app, overlay.podOf(app))]),
    );
    expect(stopped).toEqual(appNames.map((app) => [app, 0]));
  });
}

describe('the small overlay', () => {
  let overlay: Overlay;

  beforeAll(async () => {
    overlay = await Overlay.render('small');
    const made = await run(join(workspaceRoot, 'k8s/secrets'), [folder]);
    overlay.add(readYaml(made).values as KubernetesObject[]);
    await overlay.pods.createNetwork();
    await overlay.start('postgres', overlay.podOf('postgres', 'StatefulSet'));
    // The official image runs it on an empty volume; its stand-in does not.
    const scripts = '/docker-entrypoint-initdb.d/databases.sh';
    await overlay.pods.exec('postgres', 'env', 'POSTGRES_USER=postgres', scripts);
    await overlay.start('nats', overlay.podOf('nats', 'StatefulSet'));
  });

  afterAll(() => overlay.pods.remove());

  it('gets no Secrets from a folder that lacks one', async () => {
    const incomplete = mkdtempSync(join(tmpdir(), 'mentorhub-kubernetes-'));
    await run(join(workspaceRoot, 'deploy/compose/secrets'), [incomplete]);
    const { code, stdout, stderr } = await attempt(join(workspaceRoot, 'k8s/secrets'), [
      incomplete,
    ]);
    rmSync(incomplete, { recursive: true });
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain('sendgrid-api-key is missing');
  });

  it('does not start an app whose migrations fail', async () => {
    const spec = overlay.podOf('payments');
    const address = overlay.secrets.get('payments-migration')!;
    overlay.secrets.set('payments-migration', {
      'migration-database-url': 'postgres://payments_owner:wrong@postgres:5432/payments',
    });
    await expect(overlay.pods.start('payments', spec)).rejects.toThrow(/payments, migrate: 1/);
    overlay.secrets.set('payments-migration', address);
  });

  describeApps(() => overlay);

  it('has an Ingress whose paths lead to what the apps serve', () => {
    const { rules } = overlay.all<Ingress>('Ingress')[0]!.spec;
    const paths = rules.flatMap(({ http }) => http.paths.map(({ path }) => path));
    expect(paths).toEqual(expect.arrayContaining(['/ws', '/api/v1']));
    expect(paths.filter((path) => /metrics|detailed|^\/$/.test(path))).toEqual([]);
  });
});

describe('the production overlay, with TLS', () => {
  let overlay: Overlay;
  let certificates: TestCertificates;

  beforeAll(async () => {
    overlay = await Overlay.render('production');
    const made = overlay.all<Certificate>('Certificate').map(({ spec }) => spec.dnsNames ?? []);
    certificates = await testCertificates(made.flat());
    const { caFile, certFile, keyFile } = certificates;
    overlay.secrets.set('nats-tls', {
      'ca.crt': readFileSync(caFile, 'utf8'),
      'tls.crt': readFileSync(certFile, 'utf8'),
      'tls.key': readFileSync(keyFile, 'utf8'),
    });
    bringSecrets(overlay);
    const keys = await run(join(workspaceRoot, 'k8s/secrets'), ['--keys', folder]);
    overlay.add(readYaml(keys).values as KubernetesObject[]);
    await overlay.pods.createNetwork();
    await startPostgres(overlay);
    await startNats(overlay);
  });

  afterAll(async () => {
    await overlay.pods.remove();
    await certificates.remove();
  });

  describeApps(() => overlay);
});

/** What External Secrets does with a secret manager that has what deploy/compose/secrets makes. */
function bringSecrets(overlay: Overlay): void {
  for (const { metadata, spec } of overlay.all<ExternalSecret>('ExternalSecret')) {
    const { template } = spec.target;
    if (template === undefined) continue;
    const values = new Map(
      spec.data.map(({ secretKey, remoteRef }) => {
        const app = remoteRef.key.replace('mentorhub/', '');
        return [secretKey, propertyOf(app, remoteRef.property)] as const;
      }),
    );
    const filled = Object.entries(template.data).map(([key, text]) => {
      const value = text.replaceAll(
        /\{\{ \.(\w+)(?: \| urlquery)? \}\}/g,
        (_all, name: string) => values.get(name) ?? `no ${name}`,
      );
      return [key, value] as const;
    });
    overlay.secrets.set(metadata.name, Object.fromEntries(filled));
  }
}

function propertyOf(app: string, property: string): string {
  if (property === 'database-password') return passwordIn(`database-url-${app}`);
  if (property === 'database-owner-password') return passwordIn(`migration-database-url-${app}`);
  return secret(property === 'nats-nkey-seed' ? `nats-nkey-seed-${app}` : property);
}

/** One server instead of a cluster for each service, with the roles, databases and rules of their Clusters. */
async function startPostgres(overlay: Overlay): Promise<void> {
  const clusters = overlay.all<Cluster>('Cluster');
  const rules = ['local all all trust', ...clusters[0]!.spec.postgresql.pg_hba];
  overlay.configMaps.set('hba', {
    'pg_hba.conf': [...rules, 'host all all all scram-sha-256', ''].join('\n'),
  });
  overlay.secrets.set('postgres', { 'postgres-password': secret('postgres-password') });
  const small = await Overlay.render('small');
  const pod = structuredClone(small.podOf('postgres', 'StatefulSet'));
  const container = pod.containers[0]!;
  container.args = [
    'postgres',
    '-c',
    'ssl=on',
    '-c',
    'ssl_cert_file=/tls/tls.crt',
    '-c',
    'ssl_key_file=/tls/tls.key',
    '-c',
    'hba_file=/hba/pg_hba.conf',
    '-c',
    'max_connections=200',
  ];
  container.volumeMounts = [
    ...container.volumeMounts!.filter(({ name }) => name !== 'init'),
    { name: 'tls', mountPath: '/tls' },
    { name: 'hba', mountPath: '/hba' },
  ];
  pod.volumes = [
    ...pod.volumes!.filter(({ name }) => name !== 'init'),
    { name: 'tls', secret: { secretName: 'nats-tls', defaultMode: 0o440 } },
    { name: 'hba', configMap: { name: 'hba' } },
  ];
  const names = clusters.map(({ metadata }) => `${metadata.name}-rw`);
  await overlay.start('postgres', pod, names);
  const sql = (database: string, statement: string): Promise<string> =>
    overlay.pods.exec(
      'postgres',
      'psql',
      '--username=postgres',
      `--dbname=${database}`,
      '--set=ON_ERROR_STOP=1',
      `--command=${statement}`,
    );
  for (const { spec } of clusters) {
    const {
      database,
      owner,
      secret: owned,
      postInitSQL,
      postInitApplicationSQL,
    } = spec.bootstrap.initdb;
    const passwordOf = (name: string): string => overlay.secrets.get(name)!['password']!;
    // In the order of CloudNativePG.
    await sql('postgres', `CREATE ROLE ${owner} LOGIN PASSWORD '${passwordOf(owned.name)}'`);
    for (const statement of postInitSQL) await sql('postgres', statement);
    await sql('postgres', `CREATE DATABASE ${database} OWNER ${owner}`);
    for (const statement of postInitApplicationSQL) await sql(database, statement);
    for (const { name, passwordSecret } of spec.managed.roles) {
      await sql('postgres', `ALTER ROLE ${name} PASSWORD '${passwordOf(passwordSecret.name)}'`);
    }
  }
}

/** The servers find one another before the first of them is ready. */
async function startNats(overlay: Overlay): Promise<void> {
  const spec = overlay.podOf('nats', 'StatefulSet');
  const names = ['nats-0', 'nats-1', 'nats-2'];
  for (const name of names) await overlay.pods.start(name, spec, [name, `${name}.nats-headless`]);
  for (const name of names) await overlay.probe(name, spec);
}
