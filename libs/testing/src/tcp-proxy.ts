import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface TcpProxy {
  /** The given address, by way of the proxy. */
  readonly url: string;
  /**
   * From now on takes connections and whatever comes on them, and passes nothing on: as a machine that vanished, or a
   * firewall that drops packets, it neither answers nor closes.
   */
  silence(): void;
  /**
   * Forwards the data of new connections. Older connections stay silent for ever; the server sees them end, as its
   * keepalive would have ended them by then.
   */
  forward(): void;
  close(): Promise<void>;
}

/** A TCP proxy on the way to the server of `address`, such as `postgres://user@host:port/database`. */
export async function tcpProxy(address: string): Promise<TcpProxy> {
  const target = new URL(address);
  const sockets = new Set<Socket>();
  const silenced = new Set<Socket>();
  const upstreams = new Set<Socket>();
  let silent = false;
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    keep(client);
    if (silent) {
      client.resume();
      return;
    }
    const upstream = keep(connect(Number(target.port), target.hostname));
    upstreams.add(upstream.on('close', () => upstreams.delete(upstream)));
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(address);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    silence: () => {
      silent = true;
      for (const socket of sockets) socket.unpipe().resume();
      for (const upstream of upstreams) silenced.add(upstream);
    },
    forward: () => {
      silent = false;
      for (const upstream of silenced) upstream.destroy();
      silenced.clear();
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
