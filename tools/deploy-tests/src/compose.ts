import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findTool, freePort, workspaceRoot } from '@mentorhub/local-system';
import { attempt, type Result, run } from './command.js';
import type { Engine } from './engine.js';
import type { ServerImages } from './servers.js';

/** The path of Docker's Compose plug-in. @throws {StartProblem} with the command to install it when it is nowhere */
export function findCompose(): Promise<string> {
  return findTool({
    name: 'docker-compose',
    package: 'docker-compose',
    inFolder: 'cli-plugins',
    archived: {
      amd64: {
        path: 'pool/main/d/docker-compose/docker-compose_2.26.1-4_amd64.deb',
        sha256: '47681197cb2b1ab88206b42a1a92fc75f50d9530a6322d03494a473eed0408ea',
      },
      arm64: {
        path: 'pool/main/d/docker-compose/docker-compose_2.26.1-4_arm64.deb',
        sha256: 'bbafaa666f3e7fa00ad36f2a8bab889f1c791ca8743d674e7267a3d07203869c',
      },
    },
    missing: 'Docker Compose is not installed.',
    versionArguments: ['version'],
    // Before, it was another program.
    isVersion: (output) => /version v?(?:[2-9]|\d\d)\./.test(output),
    howToInstall: [
      'Debian 13, Ubuntu sudo apt-get install docker-compose',
      'https://docs.docker.com/compose/install/',
    ],
  });
}

/** What of a container is looked at here; everything else is there as well. */
export interface Container {
  Id: string;
  Image: string;
  State: {
    ExitCode: number;
    OOMKilled: boolean;
    Pid: number;
    Running: boolean;
    Status: string;
    Health?: { Status: string };
  };
  Config: {
    Env: string[];
    Healthcheck?: { Test: string[] };
    StopTimeout?: number;
    User: string;
    Labels: Record<string, string>;
  };
  HostConfig: {
    CapAdd: string[] | null;
    CapDrop: string[] | null;
    LogConfig: { Type: string; Config: Record<string, string> };
    Memory: number;
    PidsLimit: number | null;
    PortBindings: Record<string, unknown> | null;
    Privileged: boolean;
    ReadonlyRootfs: boolean;
    RestartPolicy: { Name: string };
    SecurityOpt: string[] | null;
  };
  Mounts: { Type: string; Source: string; Destination: string; RW: boolean }[];
  NetworkSettings: { Networks: Record<string, { IPAddress: string }> };
}

export interface ComposeProjectOptions {
  engine: Pick<Engine, 'docker' | 'host'>;
  /** The tag of the apps' images. */
  version: string;
  servers: ServerImages;
  /** Compose files on top of docker-compose.yml; default: `deploy/compose/try.yml`. */
  overrides?: readonly string[];
  /** Settings in addition, or instead of those for a try. */
  settings?: Record<string, string>;
}

/** docker-compose.yml as a project of its own, with ports, secrets and volumes of its own. */
export class ComposeProject {
  private constructor(
    private readonly folder: string,
    private readonly options: ComposeProjectOptions,
    private readonly settings: Record<string, string>,
    readonly httpPort: number,
    readonly httpsPort: number,
  ) {}

  /** @param name begins with the name of the test file: engines may be shared */
  static async make(name: string, options: ComposeProjectOptions): Promise<ComposeProject> {
    const plugin = await findCompose();
    const folder = mkdtempSync(join(tmpdir(), `mentorhub-${name}-`));
    mkdirSync(join(folder, 'docker', 'cli-plugins'), { recursive: true });
    symlinkSync(plugin, join(folder, 'docker', 'cli-plugins', 'docker-compose'));
    mkdirSync(join(folder, 'bin'));
    symlinkSync(
      (await run('which', [options.engine.docker])).trim(),
      join(folder, 'bin', 'docker'),
    );
    const [httpPort, httpsPort] = [await freePort(), await freePort()];
    const files = ['docker-compose.yml', ...(options.overrides ?? ['deploy/compose/try.yml'])];
    const settings = {
      COMPOSE_FILE: files.join(':'),
      COMPOSE_PROJECT_NAME: `${name}${process.pid}`,
      MENTORHUB_VERSION: options.version,
      MENTORHUB_DOMAIN: 'localhost',
      MENTORHUB_HTTP_PORT: String(httpPort),
      MENTORHUB_HTTPS_PORT: String(httpsPort),
      MENTORHUB_SECRETS: join(folder, 'secrets'),
      PUBLIC_URL: `https://localhost:${httpsPort}`,
      ADMIN_EMAIL: 'admin@demo.mentorhub.example',
      MAIL_FROM: 'MentorHub <no-reply@mentorhub.example>',
      SANDBOX_PAYMENTS_IN_PRODUCTION: 'yes',
      POSTGRES_IMAGE: options.servers.postgres,
      NATS_IMAGE: options.servers.nats,
      CADDY_IMAGE: options.servers.caddy,
      ...options.settings,
    };
    return new ComposeProject(folder, options, settings, httpPort, httpsPort);
  }

  get name(): string {
    return this.settings['COMPOSE_PROJECT_NAME'] ?? '';
  }

  get url(): string {
    return `https://localhost:${this.httpsPort}`;
  }

  get secrets(): string {
    return join(this.folder, 'secrets');
  }

  /** The certificates to trust; written by `saveAuthority`. */
  get authority(): string {
    return join(this.folder, 'authority.crt');
  }

  /** As in the shell of somebody who runs this project: with its settings and nothing else. */
  environment(settings: Record<string, string | undefined> = {}): NodeJS.ProcessEnv {
    return {
      PATH: `${join(this.folder, 'bin')}:${process.env['PATH']}`,
      HOME: process.env['HOME'],
      DOCKER_HOST: this.options.engine.host,
      DOCKER_CONFIG: join(this.folder, 'docker'),
      ...this.settings,
      ...settings,
    };
  }

  /** A command in the folder of the project, such as `deploy/compose/secrets`. */
  attempt(
    command: string,
    parameters: readonly string[],
    settings?: Record<string, string | undefined>,
  ): Promise<Result> {
    return attempt(command, parameters, {
      environment: this.environment(settings),
      cwd: workspaceRoot,
    });
  }

  run(command: string, ...parameters: string[]): Promise<string> {
    return run(command, parameters, { environment: this.environment(), cwd: workspaceRoot });
  }

  docker(...parameters: string[]): Promise<string> {
    return this.run('docker', ...parameters);
  }

  compose(...parameters: string[]): Promise<string> {
    return this.docker('compose', '--env-file', '/dev/null', '--progress', 'plain', ...parameters);
  }

  attemptCompose(
    parameters: string[],
    settings?: Record<string, string | undefined>,
  ): Promise<Result> {
    return this.attempt('docker', ['compose', '--env-file', '/dev/null', ...parameters], settings);
  }

  makeSecrets(): Promise<string> {
    return this.run('deploy/compose/secrets');
  }

  /** Every container by the name of its service. */
  async containers(): Promise<Map<string, Container>> {
    const ids = (await this.compose('ps', '--all', '--quiet')).trim().split('\n');
    const all = JSON.parse(await this.docker('inspect', ...ids)) as Container[];
    return new Map(all.map((one) => [one.Config.Labels['com.docker.compose.service'] ?? '', one]));
  }

  async container(service: string): Promise<Container> {
    const found = (await this.containers()).get(service);
    if (found === undefined) throw new Error(`There is no container of ${service}.`);
    return found;
  }

  /** Copies the certificate of the edge's own authority to `authority`. */
  async saveAuthority(): Promise<void> {
    const { Id } = await this.container('edge');
    await this.docker('cp', `${Id}:/data/caddy/pki/authorities/local/root.crt`, this.authority);
  }

  /** Removes everything. */
  async remove(): Promise<void> {
    if (existsSync(join(this.secrets, 'nats.env'))) {
      await this.attemptCompose(['down', '--volumes', '--timeout', '5']);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
