import { spawn } from 'node:child_process';
import { createGzip } from 'node:zlib';
import type { Engine } from './engine.js';
import { run } from './command.js';

export interface FileInImage {
  path: string;
  bytes: number;
  /** `-rwxr-xr-x`. */
  mode: string;
  /** `uid/gid`. */
  owner: string;
}

type Access = Pick<Engine, 'docker' | 'host'>;

function output({ docker, host }: Access, parameters: string[]) {
  const child = spawn(docker, parameters, {
    env: { ...process.env, DOCKER_HOST: host },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return child.stdout;
}

/** The size of an image as a registry has it: its archive, compressed by gzip as layers are. */
export async function compressedBytes(engine: Access, image: string): Promise<number> {
  let bytes = 0;
  const packed = output(engine, ['save', image]).pipe(createGzip());
  for await (const part of packed) bytes += (part as Buffer).length;
  return bytes;
}

/** Everything that a container of the image sees. */
export async function filesOf(engine: Access, image: string): Promise<FileInImage[]> {
  const environment = { ...process.env, DOCKER_HOST: engine.host };
  const container = (await run(engine.docker, ['create', image], { environment })).trim();
  try {
    const listing = await run(
      'sh',
      ['-c', '"$0" export "$1" | tar --numeric-owner -tv', engine.docker, container],
      { environment },
    );
    return listing
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [mode = '', owner = '', size = '0', , , ...path] = line.split(/\s+/);
        return {
          mode,
          owner,
          bytes: mode.startsWith('-') ? Number(size) : 0,
          path: path.join(' ').split(' -> ')[0] ?? '',
        };
      });
  } finally {
    await run(engine.docker, ['rm', container], { environment });
  }
}
