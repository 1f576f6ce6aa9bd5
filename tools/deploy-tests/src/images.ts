import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import type { Readable } from 'node:stream';
import { join } from 'node:path';
import { appNames, workspaceRoot } from '@mentorhub/local-system';
import { attempt, type Result, run } from './command.js';
import { type Engine, ensureTools } from './engine.js';

const suite = 'trixie';
export const mirror = 'http://deb.debian.org/debian';

/** What the images are made from. */
export interface Bases {
  build: string;
  runtime: string;
}

/** Commands to an engine. */
export class Docker {
  private readonly environment: NodeJS.ProcessEnv;

  constructor(private readonly engine: Pick<Engine, 'docker' | 'host'>) {
    this.environment = { ...process.env, DOCKER_HOST: engine.host, DOCKER_BUILDKIT: '1' };
  }

  attempt(...parameters: string[]): Promise<Result> {
    return attempt(this.engine.docker, parameters, { environment: this.environment });
  }

  run(...parameters: string[]): Promise<string> {
    return run(this.engine.docker, parameters, {
      environment: this.environment,
      cwd: workspaceRoot,
    });
  }

  /** As `attempt`, with something on the standard input. */
  attemptWith(input: string, ...parameters: string[]): Promise<Result> {
    return attempt(this.engine.docker, parameters, { environment: this.environment, input });
  }

  /** The standard output of a command while it runs. */
  output(...parameters: string[]): Readable {
    return spawn(this.engine.docker, parameters, {
      env: this.environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    }).stdout;
  }

  async has(image: string): Promise<boolean> {
    return (await this.attempt('image', 'inspect', image)).code === 0;
  }
}

function versionOf(manifest: string): string {
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

/**
 * Base images made of Debian packages, for machines that reach no image registry: one with npm and Node.js of the
 * version that the project uses, one with the C library alone.
 */
async function standIns(docker: Docker, directory: string): Promise<Bases> {
  const node = versionOf(join(workspaceRoot, 'node_modules', 'node', 'package.json'));
  const bases = {
    build: `mentorhub-standin/build:${suite}-node${node}`,
    runtime: `mentorhub-standin/runtime:${suite}`,
  };
  const debian = `mentorhub-standin/debian:${suite}`;
  mkdirSync(directory, { recursive: true });
  const bootstrap = async (image: string, variant: string, include: string[]): Promise<void> => {
    if (await docker.has(image)) return;
    await ensureTools(['mmdebstrap']);
    const archive = join(directory, 'base.tar');
    const options = [`--variant=${variant}`, `--include=${include.join(',')}`];
    await run('mmdebstrap', [...options, suite, archive, mirror]);
    await docker.run('import', archive, image);
    rmSync(archive);
  };
  const libraries = ['base-files', 'libc6', 'libgcc-s1', 'libstdc++6', 'tzdata', 'ca-certificates'];
  await bootstrap(bases.runtime, 'extract', libraries);
  if (!(await docker.has(bases.build))) {
    await bootstrap(debian, 'minbase', ['binutils', 'ca-certificates', 'libatomic1']);
    const context = join(directory, 'build');
    rmSync(context, { recursive: true, force: true });
    mkdirSync(context);
    cpSync(join(workspaceRoot, 'node_modules', 'node', 'bin', 'node'), join(context, 'node'));
    const npm = (await run('npm', ['--version'])).trim();
    await run('npm', ['pack', '--silent', `npm@${npm}`], { cwd: context });
    writeFileSync(
      join(context, 'Dockerfile'),
      [
        `FROM ${debian}`,
        'COPY node /usr/local/bin/node',
        `ADD npm-${npm}.tgz /opt`,
        'RUN ln -s /opt/package/bin/npm-cli.js /usr/local/bin/npm',
        '',
      ].join('\n'),
    );
    await docker.run('build', '--quiet', '--network', 'host', '--tag', bases.build, context);
    rmSync(context, { recursive: true });
  }
  return bases;
}

/** The images of BUILD_IMAGE and RUNTIME_IMAGE, or stand-ins for those that are not given. */
export async function baseImages(docker: Docker, directory: string): Promise<Bases> {
  const { BUILD_IMAGE: build, RUNTIME_IMAGE: runtime } = process.env;
  if (build !== undefined && runtime !== undefined) return { build, runtime };
  const made = await standIns(docker, directory);
  return { build: build ?? made.build, runtime: runtime ?? made.runtime };
}

/** How npm on this machine reaches its registry, as secrets of a build; `remove` when it is done. */
async function registrySecrets(): Promise<{ parameters: string[]; remove(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'mentorhub-npmrc-'));
  const own = (await run('npm', ['config', 'get', 'userconfig'])).trim();
  const settings = existsSync(own) ? readFileSync(own, 'utf8').split('\n') : [];
  const registry = (await run('npm', ['config', 'get', 'registry'])).trim();
  const file = join(folder, 'npmrc');
  // Files of this machine are not in the build.
  const usable = settings.filter((line) => !/^\s*(?:cafile|nodedir|prefix|cache)\b/.test(line));
  writeFileSync(file, [...usable, `registry=${registry}`, ''].join('\n'), { mode: 0o600 });
  const parameters = ['--secret', `id=npmrc,src=${file}`];
  const configured = (await run('npm', ['config', 'get', 'cafile'])).trim();
  const ca = [process.env['NODE_EXTRA_CA_CERTS'], configured].find(
    (name) => name !== undefined && existsSync(name),
  );
  if (ca !== undefined) parameters.push('--secret', `id=ca,src=${ca}`);
  return { parameters, remove: () => rmSync(folder, { recursive: true }) };
}

/** The tag of an app's image in these tests. */
export const imageOf = (app: string): string => `mentorhub/${app}:test`;

/** Builds the image of an app and resolves to how long it took, in milliseconds. @throws Error with the output */
export async function buildImage(docker: Docker, bases: Bases, app: string): Promise<number> {
  const secrets = await registrySecrets();
  const start = performance.now();
  try {
    const settings = Object.entries({
      BUILD_IMAGE: bases.build,
      RUNTIME_IMAGE: bases.runtime,
      APP: app,
      REVISION: '0123abc',
    }).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
    const how = ['--file', 'deploy/Dockerfile', '--network', 'host', '--tag', imageOf(app)];
    await docker.run('build', ...how, ...secrets.parameters, ...settings, '.');
  } finally {
    secrets.remove();
  }
  return performance.now() - start;
}

/** Builds the images of all apps and resolves to their tag, or to that of DEPLOY_TEST_VERSION, whose images are there. */
export async function appImages(docker: Docker, bases: Bases): Promise<string> {
  const given = process.env['DEPLOY_TEST_VERSION'];
  if (given !== undefined) return given;
  for (const app of appNames) await buildImage(docker, bases, app);
  return 'test';
}
