import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { claimFolder } from './claim.js';
import { type DatabaseUrls, hasOwnDatabases, prepareDatabases } from './databases.js';
import { type DemoAccount, loadDemoData } from './demo-data.js';
import { type Edge, startEdge } from './edge/edge.js';
import { removeAfterwards } from './guard.js';
import { findNatsServer } from './nats-server.js';
import { type Nats, startNats } from './nats.js';
import { type AppPorts, planPorts, type PortPlan } from './port-plan.js';
import { type Postgres, startPostgres } from './postgres.js';
import { explainFileError, StartProblem } from './problem.js';
import { loadSecrets, type Secrets } from './secrets.js';
import { Backoff, type Crash, SupervisedProcess } from './supervisor.js';
import {
  type AppName,
  appNames,
  isGateway,
  mainFile,
  type ServiceName,
  serviceNames,
  variablePart,
  workspaceRoot,
} from './workspace.js';

export interface SystemOptions {
  /** Where databases, events, mails and secrets are kept; made when missing. */
  dataDirectory: string;
  /** The workspace whose built apps are run; default: the one this library is part of. */
  root?: string;
  /** The user's settings, which are also handed to the apps; default: those of this process. */
  environment?: NodeJS.ProcessEnv;
  /** Further variables for single apps. */
  appEnvironment?: Partial<Record<AppName, NodeJS.ProcessEnv>>;
  /** `fixed`: the documented ports; `free` (default): any, so that systems can run side by side. */
  ports?: 'fixed' | 'free';
  /** Default: one of each. */
  replicas?: Partial<Record<AppName, number>>;
  /** Whether to load the demo data, once for each database; default: false. */
  demoData?: boolean;
  /** Whether the data outlive `stop` and a crash of the machine; default: true. */
  persistent?: boolean;
  /** How long all apps together may take until they are ready, in milliseconds; default: 90 000. */
  readyTimeout?: number;
  /** Ends the start; everything that runs by then is stopped, and the start fails. */
  signal?: AbortSignal;
  /** Called with a short text for each step of the start. */
  onProgress?(this: void, message: string): void;
  /** Every line that an app writes. `replica` counts from 0. */
  onLog?(this: void, app: AppName, replica: number, line: string): void;
  /** Something ended unexpectedly. */
  onCrash?(this: void, crash: Crash): void;
}

/** One running replica. */
export interface AppInstance {
  replica: number;
  /** Undefined while it is not running. */
  pid: number | undefined;
  /** Where a gateway serves; services have none. */
  port: number | undefined;
  managementPort: number;
  /** How often it was started again after it ended unexpectedly. */
  restarts: number;
}

export interface System {
  readonly urls: {
    /** The public address. */
    edge: string;
    nats: string;
    apiGateways: string[];
    chatGateways: string[];
  };
  /** The database of each service. */
  readonly databases: DatabaseUrls;
  /** Accounts of the demo data; empty without. */
  readonly accounts: DemoAccount[];
  /** Where the mails are kept that the system sends in the local profile. */
  readonly mailDirectory: string;
  /** Our own servers; undefined where the environment names others. */
  readonly postgres: Postgres | undefined;
  readonly nats: Nats | undefined;
  apps(name: AppName): AppInstance[];
  /** Sends a signal, SIGKILL by default, and resolves when the process has ended. It is started again. */
  kill(name: AppName, replica?: number, signal?: NodeJS.Signals): Promise<void>;
  /** Stops every replica of an app in order and starts it again. */
  restart(name: AppName): Promise<void>;
  /** Resolves when every replica of the app, or of all apps, is ready. */
  ready(name?: AppName): Promise<void>;
  /** Stops everything in order: edge, gateways, services, NATS, PostgreSQL. */
  stop(): Promise<void>;
  /** Kills everything at once. */
  abort(): Promise<void>;
}

/**
 * Starts the whole system on this machine and resolves when every app is ready: PostgreSQL and NATS
 * unless the environment names servers, all apps in parallel, the edge in front. Needs a build.
 * Whatever crashes is started again. Nothing outlives this process.
 *
 * @throws {StartProblem} with a remedy, after stopping what was already started.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const release = await claimFolder(options.dataDirectory);
  if (options.persistent === false) removeAfterwards(options.dataDirectory);
  const system = new LocalSystem(options, release);
  try {
    await system.start();
    return system;
  } catch (error) {
    await system.abort();
    throw explainFileError(error, options.dataDirectory);
  }
}

interface App {
  name: AppName;
  replica: number;
  ports: AppPorts;
  process: SupervisedProcess;
}

class LocalSystem implements System {
  databases = {} as DatabaseUrls;
  accounts: DemoAccount[] = [];
  postgres: Postgres | undefined;
  nats: Nats | undefined;
  readonly mailDirectory: string;
  private readonly avatarDirectory: string;
  private readonly root: string;
  private readonly environment: NodeJS.ProcessEnv;
  private readonly persistent: boolean;
  private ports: PortPlan | undefined;
  private secrets: Secrets | undefined;
  private natsUrl = '';
  private edge: Edge | undefined;
  private running: App[] = [];
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly options: SystemOptions,
    private readonly release: () => Promise<void>,
  ) {
    this.root = options.root ?? workspaceRoot;
    this.environment = options.environment ?? process.env;
    this.persistent = options.persistent ?? true;
    this.mailDirectory = this.environment['MAIL_DIRECTORY'] || join(options.dataDirectory, 'mail');
    this.avatarDirectory =
      this.environment['AVATAR_DIRECTORY'] || join(options.dataDirectory, 'avatars');
  }

  get urls(): System['urls'] {
    const served = (name: AppName): string[] =>
      this.instances(name).map(({ ports }) => `http://127.0.0.1:${ports.port}`);
    return {
      edge: this.publicUrl,
      nats: this.natsUrl,
      apiGateways: served('api-gateway'),
      chatGateways: served('chat-gateway'),
    };
  }

  async start(): Promise<void> {
    this.checkProfile();
    this.checkBuild();
    const { dataDirectory } = this.options;
    const ownPostgres = !hasOwnDatabases(this.environment);
    const givenNats = this.environment['NATS_URL'];
    this.ports = await planPorts({
      ports: this.options.ports ?? 'free',
      replicas: Object.fromEntries(
        appNames.map((name) => [name, this.options.replicas?.[name] ?? 1]),
      ) as Record<AppName, number>,
      postgres: ownPostgres,
      nats: !givenNats,
      environment: this.environment,
    });
    this.secrets = await loadSecrets(dataDirectory);
    await mkdir(this.mailDirectory, { recursive: true });
    this.say(
      [ownPostgres ? 'PostgreSQL' : '', givenNats ? '' : 'NATS'].filter(Boolean).join(' and '),
    );
    await settleAll([
      ownPostgres ? this.startPostgres(this.ports) : undefined,
      givenNats ? undefined : this.startNats(this.ports, this.secrets),
    ]);
    this.natsUrl = givenNats || (this.nats?.url ?? '');
    this.databases = await prepareDatabases(
      this.environment,
      this.postgres,
      this.secrets.databases,
    );
    this.options.signal?.throwIfAborted();
    this.startApps(this.ports);
    await this.ready();
    if (this.options.demoData === true) {
      this.accounts = await loadDemoData({
        root: this.root,
        dataDirectory,
        databases: this.databases,
        environmentOf: (service) =>
          this.environmentOf(service, { port: undefined, managementPort: 0 }),
        onProgress: (message) => this.options.onProgress?.(message),
      });
    }
    await this.openEdge(this.ports);
    await this.writeTaskEnvironment();
  }

  apps(name: AppName): AppInstance[] {
    return this.instances(name).map((app) => ({
      replica: app.replica,
      pid: app.process.pid,
      port: app.ports.port,
      managementPort: app.ports.managementPort,
      restarts: app.process.restarts,
    }));
  }

  async kill(name: AppName, replica = 0, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const app = this.instances(name)[replica];
    if (app === undefined) throw new Error(`There is no replica ${replica} of ${name}`);
    await app.process.kill(signal);
  }

  async restart(name: AppName): Promise<void> {
    for (const app of this.instances(name)) await app.process.restart();
  }

  async ready(name?: AppName): Promise<void> {
    const apps = name === undefined ? this.running : this.instances(name);
    const timeout = this.options.readyTimeout ?? 90_000;
    const deadline = Date.now() + timeout;
    let waiting = apps.length;
    await Promise.all(
      apps.map(async (app) => {
        await this.readyBy(app, deadline, timeout);
        waiting -= 1;
        if (waiting > 0) this.options.onProgress?.(`${app.process.name} is ready`);
      }),
    );
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopInOrder();
    return this.stopping;
  }

  async abort(): Promise<void> {
    this.stopping ??= Promise.resolve();
    await Promise.all(this.running.map((app) => app.process.stop(0)));
    await settleAll([
      this.edge?.close(),
      this.nats?.kill(),
      // The database is stopped in order all the same: that is quick, and the next start is too.
      this.postgres?.stop(),
    ]);
    await this.cleanUp();
  }

  private async stopInOrder(): Promise<void> {
    const gateways = this.running.filter((app) => isGateway(app.name));
    await Promise.all(gateways.map((app) => app.process.stop()));
    await this.edge?.close();
    await Promise.all(this.running.map((app) => app.process.stop()));
    await this.nats?.stop();
    await this.postgres?.stop();
    await this.cleanUp();
  }

  private async cleanUp(): Promise<void> {
    await this.release();
    if (!this.persistent) {
      await rm(this.options.dataDirectory, { recursive: true, force: true });
    }
  }

  private get publicUrl(): string {
    return this.environment['PUBLIC_URL'] || `http://localhost:${this.ports?.edge}`;
  }

  private say(what: string): void {
    if (what !== '') this.options.onProgress?.(`starting ${what}`);
  }

  private instances(name: AppName): App[] {
    return this.running.filter((app) => app.name === name);
  }

  /** Demo accounts and captured mails are for this machine: nobody should take it for something else. */
  private checkProfile(): void {
    const profile = this.environment['PROFILE']?.trim();
    if (!profile || profile === 'local') return;
    throw new StartProblem(
      `PROFILE is ${profile}, but this starts the local profile, with demo accounts and pages for development.`,
      'Unset PROFILE, or start each app by itself: docs/configuration.md has the settings.',
    );
  }

  private checkBuild(): void {
    const missing = appNames.filter((name) => !existsSync(mainFile(this.root, name)));
    if (missing.length === 0) return;
    throw new StartProblem(
      `Not built: ${missing.join(', ')}.`,
      'Run npm run build, then start again.',
    );
  }

  private async startPostgres(ports: PortPlan): Promise<void> {
    this.postgres = await startPostgres({
      directory: join(this.options.dataDirectory, 'postgres'),
      port: ports.postgres,
      persistent: this.persistent,
      onCrash: this.keepUp('PostgreSQL', async () => this.postgres?.restart()),
    });
  }

  private async startNats(ports: PortPlan, secrets: Secrets): Promise<void> {
    const binary = await findNatsServer({ onProgress: this.options.onProgress });
    const natsServerConfig = await this.loadNatsServerConfig();
    this.nats = await startNats({
      binary,
      directory: join(this.options.dataDirectory, 'nats'),
      port: ports.nats,
      config: (port, storeDirectory) =>
        natsServerConfig({ host: '127.0.0.1', port, storeDirectory, users: secrets.nats }),
      onCrash: this.keepUp('nats-server', async () => this.nats?.restart()),
    });
  }

  /** Restarts one of our servers after a crash, with growing pauses, until it runs or we stop. */
  private keepUp(name: string, restart: () => Promise<void>): (reason: string) => void {
    const backoff = new Backoff();
    let since = Date.now();
    const again = async (reason: string): Promise<void> => {
      const restartsIn = backoff.after(Date.now() - since);
      this.options.onCrash?.({ name, reason, lastLines: [], restartsIn });
      await delay(restartsIn);
      if (this.stopping !== undefined) return;
      since = Date.now();
      try {
        await restart();
      } catch (error) {
        await again(error instanceof Error ? error.message : String(error));
      }
    };
    return (reason) => void again(reason);
  }

  /**
   * The permissions belong to the messaging library. They are read from its build, like the apps, and
   * not imported: that library's tests use this one.
   */
  private async loadNatsServerConfig(): Promise<NatsServerConfig> {
    const file = join(this.root, 'libs', 'messaging', 'dist', 'nats-permissions.js');
    const module = (await import(pathToFileURL(file).href)) as {
      natsServerConfig: NatsServerConfig;
    };
    return module.natsServerConfig;
  }

  private startApps(plan: PortPlan): void {
    this.say('the apps');
    for (const name of appNames) {
      plan.apps[name].forEach((ports, replica) => {
        const process = this.supervise(name, replica, ports);
        this.running.push({ name, replica, ports, process });
        process.start();
      });
    }
  }

  private supervise(name: AppName, replica: number, ports: AppPorts): SupervisedProcess {
    return new SupervisedProcess(
      {
        name: replica === 0 ? name : `${name} ${replica + 1}`,
        command: process.execPath,
        parameters: ['--enable-source-maps', mainFile(this.root, name)],
        environment: this.environmentOf(name, ports),
        directory: this.root,
      },
      {
        onLine: (line) => this.options.onLog?.(name, replica, line),
        onCrash: (crash) => this.options.onCrash?.(crash),
      },
    );
  }

  private environmentOf(name: AppName, ports: AppPorts): NodeJS.ProcessEnv {
    const service = serviceNames.find((candidate) => candidate === name);
    const own: NodeJS.ProcessEnv = {
      ...withoutOurs(this.environment),
      NODE_ENV: 'production',
      PROFILE: 'local',
      LOG_FORMAT: this.environment['LOG_FORMAT'] || 'pretty',
      PUBLIC_URL: this.publicUrl,
      NATS_URL: this.natsUrl,
      MANAGEMENT_PORT: String(ports.managementPort),
      MANAGEMENT_HOST: '127.0.0.1',
      ...this.natsCredentials(name),
      ...(service === undefined
        ? this.gatewayEnvironment(ports)
        : this.serviceEnvironment(service)),
      ...this.options.appEnvironment?.[name],
    };
    return own;
  }

  /** What a command of identity needs to reach the same database and NATS, for `tools/bootstrap/task.mjs`. */
  private async writeTaskEnvironment(): Promise<void> {
    const needed = /^(?:NODE_ENV|PROFILE|PUBLIC_URL|NATS_.*|DATABASE_URL_IDENTITY|SECRET_KEY)$/;
    const all = this.environmentOf('identity', { port: undefined, managementPort: 0 });
    const identity = Object.fromEntries(Object.entries(all).filter(([name]) => needed.test(name)));
    const file = join(this.options.dataDirectory, 'task-environment.json');
    await rm(file, { force: true });
    await writeFile(file, `${JSON.stringify({ identity }, null, 2)}\n`, { mode: 0o600 });
  }

  private natsCredentials(name: AppName): NodeJS.ProcessEnv {
    if (this.nats !== undefined) {
      return { NATS_USER: name, NATS_PASSWORD: this.secrets?.nats[name] };
    }
    const { NATS_USER, NATS_PASSWORD, NATS_NKEY_SEED, NATS_CA_FILE } = this.environment;
    return { NATS_USER, NATS_PASSWORD, NATS_NKEY_SEED, NATS_CA_FILE };
  }

  private gatewayEnvironment(ports: AppPorts): NodeJS.ProcessEnv {
    const origins = [
      `http://localhost:${this.ports?.edge}`,
      `http://127.0.0.1:${this.ports?.edge}`,
    ];
    return {
      PORT: String(ports.port),
      HOST: '127.0.0.1',
      ALLOWED_ORIGINS: this.environment['ALLOWED_ORIGINS'] || origins.join(','),
    };
  }

  private serviceEnvironment(service: ServiceName): NodeJS.ProcessEnv {
    const common = {
      [`DATABASE_URL_${variablePart(service)}`]: this.databases[service],
      RUN_MIGRATIONS: 'true',
    };
    if (service === 'identity') {
      const secretKey = this.environment['SECRET_KEY'] || this.secrets?.secretKey;
      return { ...common, SECRET_KEY: secretKey, AVATAR_DIRECTORY: this.avatarDirectory };
    }
    return service === 'notifications' ? { ...common, MAIL_DIRECTORY: this.mailDirectory } : common;
  }

  private async openEdge(plan: PortPlan): Promise<void> {
    const upstreams = (name: AppName): { url: string; readyUrl: string }[] =>
      plan.apps[name].map((ports) => ({
        url: `http://127.0.0.1:${ports.port}`,
        readyUrl: readyUrl(ports),
      }));
    this.edge = await startEdge({
      port: plan.edge,
      host: this.environment['HOST_EDGE'] || '127.0.0.1',
      apiGateways: upstreams('api-gateway'),
      chatGateways: upstreams('chat-gateway'),
      maxBodyBytes: Number(this.environment['MAX_BODY_BYTES']) || undefined,
    });
  }

  private async readyBy(app: App, deadline: number, timeout: number): Promise<void> {
    const { name } = app.process;
    for (;;) {
      if (app.process.pid !== undefined && (await answersReady(readyUrl(app.ports)))) return;
      if (app.process.givenUp !== undefined) {
        throw new StartProblem(
          `${name} does not start: ${app.process.givenUp.reason}.`,
          `It wrote:\n${indent(app.process.givenUp.lastLines)}`,
        );
      }
      this.options.signal?.throwIfAborted();
      if (this.stopping !== undefined) throw new Error(`Stopped while ${name} was starting`);
      if (Date.now() > deadline) {
        throw new StartProblem(
          `${name} was not ready within ${Math.round(timeout / 1000)} s.`,
          `${await unreadyReason(readyUrl(app.ports))}It wrote:\n${indent(app.process.lastLines)}`,
        );
      }
      await delay(100);
    }
  }
}

type NatsServerConfig = (settings: {
  host: string;
  port: number;
  storeDirectory: string;
  users: Record<string, string>;
}) => string;

/** Servers, secrets and ports are handed to each app by us; what the user set of them is not for all. */
function withoutOurs(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const ours =
    /^(?:DATABASE_URL.*|NATS_.*|SECRET_KEY|SECRET_KEY_FILE|PORT|PORT_.*|HOST|MANAGEMENT_.*|NODE_OPTIONS|NODE_ENV|VITEST.*|npm_.*)$/;
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !ours.test(name)));
}

function readyUrl({ managementPort }: AppPorts): string {
  return `http://127.0.0.1:${managementPort}/health/ready`;
}

async function answersReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(3_000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

async function unreadyReason(url: string): Promise<string> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(3_000) });
    return `${url} answers ${answer.status}: ${await answer.text()}\n`;
  } catch {
    return '';
  }
}

function indent(lines: readonly string[]): string {
  return lines.length === 0 ? '  (nothing)' : lines.map((line) => `  ${line}`).join('\n');
}

/** Waits for all, also when one fails, so that nothing is still starting when the caller cleans up. */
async function settleAll(work: (Promise<unknown> | undefined)[]): Promise<void> {
  const results = await Promise.allSettled(work.map((part) => part ?? Promise.resolve()));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
