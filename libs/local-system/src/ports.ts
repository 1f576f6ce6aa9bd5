import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Below the range that operating systems hand out for outgoing connections (32768 and up on Linux,
 * 49152 and up elsewhere). A client that keeps reconnecting to a local port inside that range can be
 * given the very port it calls and then talk to itself, and a restarted server finds its port taken.
 */
const lowest = 18_000;
const highest = 32_000;

/** Whether `port` can be listened on at `host` now. */
export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}

/**
 * A port that nobody listens on. Another process may take it before the caller does, so
 * code that starts a server on it tries again with another one when it is taken.
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(lowest, highest);
    if (await isPortFree(port, host)) return port;
  }
  throw new Error(`No free port between ${lowest} and ${highest} was found in 100 tries`);
}
