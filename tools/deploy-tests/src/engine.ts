import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@mentorhub/testing';
import { attempt, run } from './command.js';

export interface Engine {
  /** Of the engine, for DOCKER_HOST. */
  host: string;
  /** The command whose `build` is BuildKit. */
  docker: string;
  /** Ends the engine if it was started here. */
  stop(): Promise<void>;
}

const packages = { dockerd: 'docker.io', mmdebstrap: 'mmdebstrap' };
type Tool = keyof typeof packages;

async function isInstalled(tool: string): Promise<boolean> {
  return (await attempt('sh', ['-c', `command -v ${tool}`])).code === 0;
}

/** Installs what is missing from Debian's packages. @throws Error that names what to install where that cannot be done */
export async function ensureTools(tools: readonly Tool[]): Promise<void> {
  const missing: Tool[] = [];
  for (const tool of tools) if (!(await isInstalled(tool))) missing.push(tool);
  if (missing.length === 0) return;
  const wanted = missing.map((tool) => packages[tool]);
  if (process.getuid?.() !== 0 || !(await isInstalled('apt-get'))) {
    throw new Error(
      `${missing.join(' and ')} missing: install ${wanted.join(' and ')}, or run this on Debian as root, which installs them.`,
    );
  }
  await run('apt-get', ['update', '-qq']);
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...wanted], {
    environment: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

/** Debian's own command comes first: others on the PATH may lack the BuildKit plug-in. */
async function findDocker(): Promise<string> {
  for (const docker of ['/usr/bin/docker', 'docker']) {
    if (docker.startsWith('/') && !existsSync(docker)) continue;
    const version = /version (\d+)/.exec((await attempt(docker, ['--version'])).stdout)?.[1];
    if (version === undefined) continue;
    if (Number(version) < 23 || (await attempt(docker, ['buildx', 'version'])).code === 0) {
      return docker;
    }
  }
  throw new Error('No docker command can build with BuildKit: install docker.io or docker-buildx.');
}

async function runningEngine(): Promise<string | undefined> {
  const host = 'unix:///var/run/docker.sock';
  if (!existsSync('/var/run/docker.sock')) return undefined;
  const docker = (await isInstalled('docker')) ? 'docker' : '/usr/bin/docker';
  return (await attempt(docker, ['--host', host, 'version'])).code === 0 ? host : undefined;
}

/**
 * The engine of DOCKER_HOST, the one of this machine, or one of our own with its data in `directory`, which outlives a run:
 * the second one builds from its cache. A second engine beside one that runs would replace its rules of iptables.
 *
 * @throws Error when there is none and none can be had
 */
export async function startEngine(directory: string): Promise<Engine> {
  const given = process.env['DOCKER_HOST'] ?? (await runningEngine());
  if (given !== undefined) {
    await run('docker', ['--host', given, 'version']);
    return { host: given, docker: await findDocker(), stop: () => Promise.resolve() };
  }
  await ensureTools(['dockerd']);
  const docker = await findDocker();
  mkdirSync(directory, { recursive: true });
  const host = `unix://${join(directory, 'docker.sock')}`;
  const log = openSync(join(directory, 'dockerd.log'), 'w');
  const child = spawn(
    'dockerd',
    [
      `--data-root=${join(directory, 'data')}`,
      `--exec-root=${join(directory, 'exec')}`,
      `--pidfile=${join(directory, 'dockerd.pid')}`,
      `--host=${host}`,
      '--bridge=none',
    ],
    { stdio: ['ignore', log, log] },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  try {
    await eventually(
      'the Docker engine',
      async () => {
        if (child.exitCode !== null) {
          throw new Error(`dockerd ended with ${child.exitCode}; see ${directory}/dockerd.log`);
        }
        const { code } = await attempt(docker, ['--host', host, 'version']);
        return code === 0 ? true : undefined;
      },
      60_000,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { host, docker, stop };
}
