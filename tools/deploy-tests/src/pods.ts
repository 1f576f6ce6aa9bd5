import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Result } from './command.js';
import type { Docker } from './images.js';

interface Mount {
  name: string;
  mountPath: string;
}

interface Items {
  name?: string;
  secretName?: string;
  defaultMode?: number;
  items?: { key: string; path: string }[];
}

interface Volume {
  name: string;
  secret?: Items;
  configMap?: Items;
  projected?: { sources: { secret: Items }[] };
  emptyDir?: object;
}

export interface Probe {
  httpGet?: { path: string; port: string };
  exec?: { command: string[] };
  timeoutSeconds: number;
}

export interface PodContainer {
  name: string;
  image: string;
  args?: string[];
  env?: { name: string; value?: string; valueFrom?: { fieldRef: { fieldPath: string } } }[];
  envFrom?: { configMapRef: { name: string } }[];
  ports?: { name: string; containerPort: number }[];
  resources: { limits: { memory: string } };
  securityContext: {
    allowPrivilegeEscalation: boolean;
    readOnlyRootFilesystem: boolean;
    capabilities: { drop: string[] };
  };
  volumeMounts?: Mount[];
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
}

export interface PodSpec {
  initContainers?: PodContainer[];
  containers: PodContainer[];
  securityContext: { runAsUser: number; runAsGroup: number; fsGroup: number };
  terminationGracePeriodSeconds: number;
  volumes?: Volume[];
}

/** The values of a Secret or a ConfigMap, by key. */
export type Values = Readonly<Record<string, string>>;

export interface PodsOptions {
  /** Begins the names of containers and network: engines may be shared. */
  name: string;
  /** The image to run instead of that of a manifest. */
  image: (name: string) => string;
  secrets: ReadonlyMap<string, Values>;
  configMaps: ReadonlyMap<string, Values>;
}

/**
 * Runs the containers of pods as a kubelet would: with the user, rights, memory, environment and files of the manifest, in a
 * network in which pods have the names that services give them.
 */
export class Pods {
  private readonly folder = mkdtempSync(join(tmpdir(), 'mentorhub-pods-'));
  private readonly started: string[] = [];

  constructor(
    private readonly docker: Docker,
    private readonly options: PodsOptions,
  ) {}

  async createNetwork(): Promise<void> {
    await this.docker.run('network', 'create', this.options.name);
  }

  /** Runs the init containers of a pod to their end and starts its first container. @throws Error when one of them fails */
  async start(pod: string, spec: PodSpec, aliases: readonly string[] = [pod]): Promise<string> {
    for (const container of spec.initContainers ?? []) {
      const { code, stdout, stderr } = await this.runInit(pod, spec, container);
      if (code !== 0) throw new Error(`${pod}, ${container.name}: ${code}\n${stdout}${stderr}`);
    }
    const container = spec.containers[0]!;
    const named = aliases.map((alias) => `--network-alias=${alias}`);
    const name = this.containerOf(pod);
    this.started.push(name);
    const parameters = this.parametersOf(pod, spec, container);
    await this.docker.run('run', '--detach', '--name', name, ...named, ...parameters);
    return name;
  }

  /** Runs an init container of a pod to its end, whatever its exit code. */
  runInit(pod: string, spec: PodSpec, container: PodContainer): Promise<Result> {
    return this.docker.attempt('run', '--rm', ...this.parametersOf(pod, spec, container));
  }

  /** Waits until a probe of a pod passes. @throws Error with its log when it does not within 90 s */
  async passes(pod: string, container: PodContainer, probe: Probe): Promise<void> {
    const deadline = Date.now() + 90_000;
    while (!(await this.probe(pod, container, probe))) {
      if (Date.now() > deadline) {
        const { stdout, stderr } = await this.docker.attempt('logs', this.containerOf(pod));
        throw new Error(`A probe of ${pod} does not pass.\n${`${stdout}${stderr}`.slice(-3000)}`);
      }
      await delay(250);
    }
  }

  /** Where clients in the network of this machine reach a port of a pod. */
  async urlOf(pod: string, container: PodContainer, port: string): Promise<string> {
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
    const address = await this.docker.run('inspect', '--format', format, this.containerOf(pod));
    const found = container.ports?.find(({ name }) => name === port);
    if (found === undefined) throw new Error(`${pod} has no port ${port}.`);
    return `http://${address.trim()}:${found.containerPort}`;
  }

  exec(pod: string, ...command: string[]): Promise<string> {
    return this.docker.run('exec', this.containerOf(pod), ...command);
  }

  /** Stops a pod within its grace period and resolves to the exit code. */
  async stop(pod: string, spec: PodSpec): Promise<number> {
    const name = this.containerOf(pod);
    await this.docker.run('stop', '--time', String(spec.terminationGracePeriodSeconds), name);
    return Number(await this.docker.run('inspect', '--format', '{{.State.ExitCode}}', name));
  }

  async remove(): Promise<void> {
    if (this.started.length > 0) {
      await this.docker.run('rm', '--force', '--volumes', ...this.started);
    }
    await this.docker.attempt('network', 'rm', this.options.name);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private containerOf(pod: string): string {
    return `${this.options.name}-${pod}`;
  }

  private async probe(pod: string, container: PodContainer, probe: Probe): Promise<boolean> {
    if (probe.exec !== undefined) {
      const name = this.containerOf(pod);
      return (await this.docker.attempt('exec', name, ...probe.exec.command)).code === 0;
    }
    const { path, port } = probe.httpGet!;
    const url = await this.urlOf(pod, container, port);
    const signal = AbortSignal.timeout(probe.timeoutSeconds * 1000);
    return fetch(url + path, { signal }).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  private parametersOf(pod: string, spec: PodSpec, container: PodContainer): string[] {
    const { runAsUser, runAsGroup, fsGroup } = spec.securityContext;
    const { allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities } =
      container.securityContext;
    return [
      `--network=${this.options.name}`,
      `--user=${runAsUser}:${runAsGroup}`,
      `--group-add=${fsGroup}`,
      `--memory=${container.resources.limits.memory.replace('i', '').toLowerCase()}`,
      ...(allowPrivilegeEscalation ? [] : ['--security-opt=no-new-privileges']),
      ...(readOnlyRootFilesystem ? ['--read-only'] : []),
      ...capabilities.drop.map((capability) => `--cap-drop=${capability}`),
      ...this.environmentOf(pod, container).map((variable) => `--env=${variable}`),
      ...(container.volumeMounts ?? []).map((mount) => this.mount(pod, spec, mount)),
      this.options.image(container.image),
      ...(container.args ?? []),
    ];
  }

  private environmentOf(pod: string, { env = [], envFrom = [] }: PodContainer): string[] {
    const maps = envFrom.map(({ configMapRef }) => this.valuesOf('ConfigMap', configMapRef.name));
    return [
      ...maps.flatMap((values) =>
        Object.entries(values).map(([name, value]) => `${name}=${value}`),
      ),
      // The only field that is asked for is the pod's name.
      ...env.map(({ name, value }) => `${name}=${value ?? pod}`),
    ];
  }

  /** A folder of this machine, filled as the volume says, or empty and writable for the group of the pod. */
  private mount(pod: string, { volumes = [], securityContext }: PodSpec, mount: Mount): string {
    const { fsGroup } = securityContext;
    const folder = join(this.folder, pod, mount.name);
    mkdirSync(folder, { recursive: true });
    const volume = volumes.find(({ name }) => name === mount.name);
    const sources = sourcesOf(volume);
    if (sources.length === 0) {
      chownSync(folder, 0, fsGroup);
      chmodSync(folder, 0o2770);
      return `--volume=${folder}:${mount.mountPath}`;
    }
    for (const { kind, items } of sources) {
      const values = this.valuesOf(kind, items.secretName ?? items.name ?? '');
      const chosen = items.items ?? Object.keys(values).map((key) => ({ key, path: key }));
      for (const { key, path } of chosen) {
        const value = values[key];
        if (value === undefined) throw new Error(`${pod}: ${kind} has no ${key}.`);
        const file = join(folder, path);
        writeFileSync(file, value);
        chownSync(file, 0, fsGroup);
        chmodSync(file, (items.defaultMode ?? 0o644) | 0o040);
      }
    }
    chmodSync(folder, 0o755);
    return `--volume=${folder}:${mount.mountPath}:ro`;
  }

  private valuesOf(kind: 'Secret' | 'ConfigMap', name: string): Values {
    const values = (kind === 'Secret' ? this.options.secrets : this.options.configMaps).get(name);
    if (values === undefined) throw new Error(`There is no ${kind} ${name}.`);
    return values;
  }
}

interface Source {
  kind: 'Secret' | 'ConfigMap';
  items: Items;
}

function sourcesOf(volume: Volume | undefined): Source[] {
  if (volume?.secret) return [{ kind: 'Secret', items: volume.secret }];
  if (volume?.configMap) return [{ kind: 'ConfigMap', items: volume.configMap }];
  return (volume?.projected?.sources ?? []).map(({ secret }) => ({
    kind: 'Secret',
    items: secret,
  }));
}
