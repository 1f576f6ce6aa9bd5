import { execFile } from 'node:child_process';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { commandLine } from './guard.js';

const run = promisify(execFile);

/**
 * Who listens on a TCP port, as `nginx (process 123)`; undefined when the operating system
 * hides it, as with processes of other users.
 */
export async function portHolder(port: number): Promise<string | undefined> {
  try {
    const pid = process.platform === 'linux' ? await holderOnLinux(port) : await holderByTool(port);
    if (pid === undefined) return undefined;
    const [command = ''] = commandLine(pid).split(' ');
    return command === '' ? `process ${pid}` : `${command} (process ${pid})`;
  } catch {
    return undefined;
  }
}

/** The socket's inode from the kernel's table, then the process that has it open. */
async function holderOnLinux(port: number): Promise<number | undefined> {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const listening = '0A';
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    const rows = (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1);
    for (const row of rows) {
      const columns = row.trim().split(/\s+/);
      const [, local, , state] = columns;
      const inode = columns[9];
      if (local?.endsWith(wanted) === true && state === listening && inode !== undefined) {
        inodes.add(`socket:[${inode}]`);
      }
    }
  }
  if (inodes.size === 0) return undefined;
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const files = await readdir(`/proc/${entry}/fd`).catch(() => []);
    for (const file of files) {
      const target = await readlink(`/proc/${entry}/fd/${file}`).catch(() => '');
      if (inodes.has(target)) return Number(entry);
    }
  }
  return undefined;
}

async function holderByTool(port: number): Promise<number | undefined> {
  if (process.platform === 'win32') {
    const { stdout } = await run('netstat', ['-ano', '-p', 'TCP']);
    const row = stdout
      .split('\n')
      .find((line) => line.includes(`:${port} `) && /LISTEN/.test(line));
    const pid = Number(row?.trim().split(/\s+/).at(-1));
    return pid > 0 ? pid : undefined;
  }
  const { stdout } = await run('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-t']);
  const pid = Number(stdout.split('\n')[0]);
  return pid > 0 ? pid : undefined;
}
