import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import type { Docker } from './images.js';

export interface FileInImage {
  path: string;
  bytes: number;
  /** `-rwxr-xr-x`. */
  mode: string;
  /** `uid/gid`. */
  owner: string;
}

/** The size of an image as a registry has it: its archive, compressed by gzip as layers are. */
export async function compressedBytes(docker: Docker, image: string): Promise<number> {
  let bytes = 0;
  const packed = docker.output('save', image).pipe(createGzip());
  for await (const part of packed) bytes += (part as Buffer).length;
  return bytes;
}

/** Everything that a container of the image sees. */
export async function filesOf(docker: Docker, image: string): Promise<FileInImage[]> {
  const container = (await docker.run('create', image)).trim();
  try {
    const tar = spawn('tar', ['--numeric-owner', '-tv'], { stdio: ['pipe', 'pipe', 'inherit'] });
    docker.output('export', container).pipe(tar.stdin);
    const listing = await text(tar.stdout);
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
    await docker.run('rm', container);
  }
}
