import { Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import type { Pool, PoolClient } from 'pg';

/**
 * Ends the connections of a pool on which the server is silent. A server, or a firewall on the way to it, that vanishes
 * without closing its connections would be waited for until TCP gives up, which takes a quarter of an hour; and a
 * connection whose statement was only given up goes back into the pool, where it delays the next one.
 *
 * What waits for an answer fails at once, as with any lost connection, and the pool opens another.
 */
export class ConnectionGuard {
  private readonly logger = new Logger('Database');
  private readonly sockets = new Map<PoolClient, Socket>();

  /**
   * @param limitMs longest that a connection in use may be silent; what a statement may take has to be less
   */
  constructor(pool: Pool, limitMs: number) {
    pool.on('acquire', (client) => {
      const socket = this.socketOf(client);
      socket?.setTimeout(limitMs);
    });
    // An idle connection may be silent.
    pool.on('release', (_, client) => this.sockets.get(client)?.setTimeout(0));
    pool.on('remove', (client) => this.sockets.delete(client));
  }

  /**
   * Remembers how much came in on every connection.
   * @returns ends the connections, provided that nothing has come in on any since
   */
  mark(): () => void {
    const received = [...this.sockets.values()].map(
      (socket) => [socket, socket.bytesRead] as const,
    );
    return () => {
      // One that does receive shows that the server is there, though slow.
      if (received.some(([socket, before]) => socket.bytesRead > before)) return;
      const open = received.filter(([socket]) => !socket.destroyed);
      if (open.length === 0) return;
      this.logger.warn(`PostgreSQL is silent: ending its ${open.length} connections.`);
      for (const [socket] of open) socket.destroy(silent());
    };
  }

  private socketOf(client: PoolClient): Socket | undefined {
    const known = this.sockets.get(client);
    if (known) return known;
    const { stream } = client.connection;
    if (!(stream instanceof Socket)) return undefined;
    stream.on('timeout', () => stream.destroy(silent()));
    this.sockets.set(client, stream);
    return stream;
  }
}

function silent(): Error {
  return new Error('Connection terminated: the server gave no sign of life');
}
