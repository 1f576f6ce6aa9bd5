import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  freePort,
  postgresBinaries,
  removeAfterwards,
  temporaryBase,
} from '@mentorhub/local-system';

export interface PgBouncer {
  /** Connects as the user of the server's URL. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts pgbouncer in transaction mode in front of a server. It gets no settings that make life easier for clients.
 * @param command its program
 * @param server superuser URL of the PostgreSQL
 * @throws when the program is not there or does not start within 10 s
 */
export async function startPgBouncer(command: string, server: string): Promise<PgBouncer> {
  const { runAs } = await postgresBinaries();
  const directory = await mkdtemp(join(temporaryBase(runAs), 'mentorhub-test-pgbouncer-'));
  removeAfterwards(directory);
  const port = await freePort();
  const { hostname, port: serverPort, username, password } = new URL(server);
  const settings = join(directory, 'pgbouncer.ini');
  await writeFile(
    settings,
    [
      '[databases]',
      `* = host=${hostname} port=${serverPort} user=${username} password=${decodeURIComponent(password)}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = any',
      'pool_mode = transaction',
      'max_client_conn = 1000',
      // A service's own pool, and one more for its health check.
      'default_pool_size = 30',
    ].join('\n'),
  );
  // pgbouncer refuses to run as root.
  await chmod(directory, 0o755);
  const child: ChildProcess = spawn(command, ['-q', settings], {
    stdio: ['ignore', 'inherit', 'inherit'],
    ...(runAs && { uid: runAs.uid, gid: runAs.gid }),
  });
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`pgbouncer ended with ${String(code)}.`);
  });
  failed.catch(() => undefined);
  await Promise.race([
    accepts(port),
    failed,
    once(child, 'error').then(([error]) => Promise.reject(error as Error)),
  ]);
  const url = new URL(server);
  url.port = String(port);
  url.hostname = '127.0.0.1';
  return {
    url: url.href,
    stop: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function accepts(port: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await delay(20);
    } finally {
      socket.destroy();
    }
  }
}
