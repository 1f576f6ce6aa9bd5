import {
  Agent,
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** A replica of a gateway. */
export interface Backend {
  name: string;
  url: string;
  readyUrl: string;
}

interface Known extends Backend {
  ready: boolean;
}

const lookTimeoutMs = 2000;

/**
 * A load balancer that asks each replica every so often whether it is ready, and learns of nothing in between. New
 * requests and sockets go to ready replicas in turn; none is sent a second time. WebSockets go to one pool of replicas,
 * all else to another.
 */
export class Balancer {
  /** What could not be served, and why. */
  readonly failures: string[] = [];
  /** When sockets of a replica were ended by it, in Unix milliseconds. */
  readonly closes = new Map<string, number[]>();
  requests = 0;
  sockets = 0;
  private readonly pools = { requests: new Set<Known>(), sockets: new Set<Known>() };
  private readonly turns = { requests: 0, sockets: 0 };
  private readonly agent = new Agent({ keepAlive: true });
  private readonly server: Server;
  private readonly looked: (() => void)[] = [];
  private closing = false;

  private constructor(private readonly everyMs: number) {
    this.server = createServer((request, response) => this.forward(request, response));
    // Clients keep their connections; how a client and its balancer part is not what is tried.
    this.server.keepAliveTimeout = 600_000;
    this.server.on('upgrade', (request, client, head) => this.tunnel(request, client, head));
  }

  static async start(everyMs: number): Promise<Balancer> {
    const balancer = new Balancer(everyMs);
    await new Promise<void>((resolve) => balancer.server.listen(0, '127.0.0.1', resolve));
    void balancer.look();
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Sends new requests, or new sockets, to a replica once it was found ready. Returns the way to forget it. */
  add(pool: 'requests' | 'sockets', backend: Backend): () => void {
    const known = { ...backend, ready: false };
    this.pools[pool].add(known);
    return () => this.pools[pool].delete(known);
  }

  /** How many replicas are known to be ready. */
  readyIn(pool: 'requests' | 'sockets'): number {
    return [...this.pools[pool]].filter(({ ready }) => ready).length;
  }

  /** Resolves right after the next look at all replicas. */
  nextLook(): Promise<void> {
    return new Promise((resolve) => this.looked.push(resolve));
  }

  async close(): Promise<void> {
    this.closing = true;
    this.agent.destroy();
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private async look(): Promise<void> {
    while (!this.closing) {
      const next = delay(this.everyMs, undefined, { ref: false });
      await Promise.all(
        Object.values(this.pools)
          .flatMap((pool) => [...pool])
          .map(async (backend) => {
            backend.ready = await isReady(backend.readyUrl);
          }),
      );
      for (const done of this.looked.splice(0)) done();
      await next;
    }
  }

  private next(pool: 'requests' | 'sockets'): Known | undefined {
    const ready = [...this.pools[pool]].filter((backend) => backend.ready);
    return ready[this.turns[pool]++ % ready.length];
  }

  private fail(what: string, reason: string): void {
    this.failures.push(`${new Date().toISOString()} ${what}: ${reason}`);
  }

  private forward(request: IncomingMessage, response: ServerResponse): void {
    this.requests += 1;
    const { method, url: path } = request;
    const backend = this.next('requests');
    if (backend === undefined) {
      this.fail(`${method} ${path}`, 'no replica is ready');
      response.writeHead(503).end();
      return;
    }
    const { hostname, port } = new URL(backend.url);
    const { agent } = this;
    const headers = forwarded(request);
    const outgoing = httpRequest({ agent, host: hostname, port, method, path, headers });
    outgoing.once('response', (answer) => {
      const kept = { ...answer.headers };
      delete kept.connection;
      delete kept['keep-alive'];
      delete kept['transfer-encoding'];
      response.writeHead(answer.statusCode ?? 502, kept);
      answer.pipe(response);
      answer.once('error', () => response.destroy());
      answer.once('aborted', () => {
        this.fail(`${method} ${path}`, `${backend.name} broke its answer off`);
        response.destroy();
      });
    });
    outgoing.once('error', (error) => {
      if (response.headersSent) return;
      this.fail(`${method} ${path}`, `${backend.name}: ${error.message}`);
      response.writeHead(502).end();
    });
    request.pipe(outgoing);
  }

  private tunnel(request: IncomingMessage, client: Duplex, head: Buffer): void {
    this.sockets += 1;
    client.on('error', () => client.destroy());
    const backend = this.next('sockets');
    if (backend === undefined) {
      this.fail('socket', 'no replica is ready');
      client.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n');
      return;
    }
    const { hostname, port } = new URL(backend.url);
    const outgoing = httpRequest({
      agent: false,
      host: hostname,
      port,
      path: request.url,
      headers: { ...forwarded(request), connection: 'Upgrade', upgrade: 'websocket' },
    });
    outgoing.once('upgrade', (answer, gateway, first) => {
      const lines = rawHeaders(answer).map(([name, value]) => `${name}: ${value}\r\n`);
      client.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      client.write(first);
      gateway.write(head);
      let clientEnded = false;
      client.once('end', () => (clientEnded = true));
      gateway.once('end', () => {
        if (!clientEnded) this.recordClose(backend.name);
      });
      gateway.on('error', () => gateway.destroy());
      gateway.once('close', () => client.end());
      client.once('close', () => gateway.destroy());
      gateway.pipe(client);
      client.pipe(gateway);
    });
    outgoing.once('response', (answer) => {
      this.fail('socket', `${backend.name} answered ${answer.statusCode}`);
      client.end(`HTTP/1.1 ${answer.statusCode} Refused\r\nConnection: close\r\n\r\n`);
      answer.resume();
    });
    outgoing.once('error', (error) => {
      this.fail('socket', `${backend.name}: ${error.message}`);
      client.destroy();
    });
    outgoing.end();
  }

  private recordClose(name: string): void {
    const times = this.closes.get(name) ?? [];
    times.push(Date.now());
    this.closes.set(name, times);
  }
}

function rawHeaders({ rawHeaders: raw }: IncomingMessage): [string, string][] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? '']] : []));
}

/** The headers of a request, without those of the connection, and with where it came from. */
function forwarded(request: IncomingMessage): Record<string, string | string[] | undefined> {
  const headers: Record<string, string | string[] | undefined> = { ...request.headers };
  delete headers['connection'];
  delete headers['keep-alive'];
  return { ...headers, 'x-forwarded-for': request.socket.remoteAddress ?? '' };
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(lookTimeoutMs) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
