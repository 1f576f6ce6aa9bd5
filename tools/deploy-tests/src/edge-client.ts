import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

export interface EdgeAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface EdgeCall {
  method?: string;
  headers?: Record<string, string>;
  /** Sent in chunks, without its length, unless the headers have it. */
  body?: Buffer;
}

/** A client of an edge whose certificate it checks. */
export class EdgeClient {
  private readonly ca: string;

  /** @param authority the file with the certificate of the edge's authority */
  constructor(
    readonly port: number,
    authority: string,
  ) {
    this.ca = readFileSync(authority, 'utf8');
  }

  /** Sends the path as it is. */
  request(path: string, { method = 'GET', headers, body }: EdgeCall = {}): Promise<EdgeAnswer> {
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest(
        {
          host: 'localhost',
          // Not the name in the header Host, which may be another one.
          servername: 'localhost',
          port: this.port,
          path,
          method,
          headers,
          ca: this.ca,
          agent: false,
        },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => (text += part));
          answer.once('end', () =>
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }),
          );
        },
      );
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }

  /** A local port behind which every connection goes on to the edge by TLS, for clients that speak plain TCP. */
  async plainPort(): Promise<{ port: number; close: () => void }> {
    const sockets = new Set<Socket>();
    const server: Server = createServer({ allowHalfOpen: true }, (client) => {
      const edge = connectTls({
        host: 'localhost',
        port: this.port,
        servername: 'localhost',
        ca: this.ca,
      });
      for (const [from, to] of [
        [client, edge],
        [edge, client],
      ] as const) {
        sockets.add(from);
        from.on('error', () => to.destroy());
        from.once('close', () => {
          sockets.delete(from);
          to.destroySoon();
        });
        from.pipe(to);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('The proxy has no port.');
    return {
      port: address.port,
      close: () => {
        server.close();
        for (const socket of sockets) socket.destroy();
      },
    };
  }
}
