import { createHash, randomUUID } from 'node:crypto';
import {
  Agent,
  createServer,
  type IncomingMessage,
  STATUS_CODES,
  type ServerResponse,
} from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ErrorCode, httpErrorBody, requestIdOf } from '@mentorhub/contracts';
import httpProxy from 'http-proxy-3';
import { errorCode, StartProblem } from './problem.js';

/** One replica of a gateway. */
export interface Upstream {
  /** Where it serves, `http://127.0.0.1:8001`. */
  url: string;
  /** Answers 200 while the replica takes requests; without it, an open port is enough. */
  readyUrl?: string;
}

export interface EdgeOptions {
  /** 0 for any free one. */
  port: number;
  host: string;
  /** Serve everything that is not below /ws. */
  apiGateways: (string | Upstream)[];
  /** Serve /ws and what is below it. */
  chatGateways: (string | Upstream)[];
  /** Larger bodies are refused, by their announced length; default: 10 MiB, as in the api-gateway. */
  maxBodyBytes?: number;
  /** A gateway that stays silent this long is given up, in milliseconds; default: 65 s. */
  answerTimeoutMs?: number;
}

export interface Edge {
  readonly url: string;
  readonly port: number;
  /** Closes every connection. */
  close(): Promise<void>;
}

/** How often the replicas are looked at. */
const lookEvery = 500;

/**
 * How much of a body that is not wanted is still read, in bytes and milliseconds. A connection that is
 * closed while the client sends is reset, and the client may never see the answer.
 */
const linger = { bytes: 256 * 1024 * 1024, milliseconds: 10_000 };

/** Headers that only a proxy may set; what a client sends under these names is dropped. */
const proxyHeaders = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-server',
  'x-real-ip',
];

/**
 * The one public address of a local system: passes requests and WebSockets on to the gateways, in
 * turn, and skips replicas that are down or draining.
 *
 * Where no replica can be reached, the client gets 503 in the error format with `Retry-After`; where one
 * does not answer in time, 504. The client's address goes to the gateways as `X-Forwarded-For`.
 *
 * @throws {StartProblem} when the port is taken.
 */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const { maxBodyBytes = 10 * 1024 * 1024, answerTimeoutMs = 65_000 } = options;
  const api = new Replicas(options.apiGateways);
  const chat = new Replicas(options.chatGateways);
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 256 });
  const proxy = httpProxy.createProxyServer({
    agent,
    proxyTimeout: answerTimeoutMs,
    connectTimeout: 2_000,
  });
  /** Requests that a gateway has left without an answer for too long. */
  const unanswered = new WeakSet<IncomingMessage>();
  proxy.on('proxyReq', (outgoing, request) => {
    outgoing.once('timeout', () => unanswered.add(request));
  });
  const tunnels = new Set<Duplex>();

  const server = createServer((request, response) => {
    if (request.url === '/' && (request.method === 'GET' || request.method === 'HEAD')) {
      sendLandingPage(response);
      return;
    }
    // A gateway that refuses a body while it is being sent closes the connection, and its answer is lost on the way.
    if (Number(request.headers['content-length']) > maxBodyBytes) {
      send(response, tooLarge(maxBodyBytes));
      return;
    }
    setProxyHeaders(request);
    pass(request, response, isSocketPath(request.url) ? chat : api, 1);
  });

  /**
   * A request without a body is tried on the next replica when this one refuses the connection. A body
   * is read only once, so such a request is answered with 503 and the client tries again.
   */
  function pass(
    request: IncomingMessage,
    response: ServerResponse,
    replicas: Replicas,
    tries: number,
  ): void {
    const replica = replicas.next();
    if (replica === undefined) {
      send(response, unavailable);
      return;
    }
    proxy.web(request, response, { target: replica.url }, (error) => {
      if (request.socket.destroyed || response.headersSent) {
        response.destroy();
        return;
      }
      if (errorCode(error) === 'ECONNREFUSED') {
        replica.up = false;
        if (!hasBody(request) && tries < replicas.count) {
          pass(request, response, replicas, tries + 1);
          return;
        }
      }
      // A body of unknown length went on for too long, and the gateway hung up.
      if (!request.complete && request.socket.bytesRead > maxBodyBytes) {
        send(response, tooLarge(maxBodyBytes));
      } else {
        send(response, unanswered.has(request) ? deadlineExceeded : unavailable);
      }
    });
  }

  server.on('upgrade', (request, socket, head) => {
    tunnels.add(socket);
    socket.once('close', () => tunnels.delete(socket));
    socket.on('error', () => socket.destroy());
    void tunnel(request, socket, head);
  });

  async function tunnel(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    if (!isSocketPath(request.url)) {
      endRaw(socket, noSocketHere, requestIdOf(request));
      return;
    }
    setProxyHeaders(request);
    for (let tries = 0; tries < chat.count; tries += 1) {
      const replica = chat.next();
      if (replica === undefined) break;
      if (!(await accepts(replica.url))) {
        replica.up = false;
        continue;
      }
      if (socket.destroyed) return;
      proxy.ws(request, socket, head, { target: replica.url, agent: undefined }, () => {
        if (opened.has(socket)) socket.destroy();
        else endRaw(socket, unavailable, requestIdOf(request));
      });
      return;
    }
    endRaw(socket, unavailable, requestIdOf(request));
  }

  const opened = new WeakSet<Duplex>();
  proxy.on('proxyReqWs', (outgoing, _request, socket) => {
    outgoing.once('upgrade', () => opened.add(socket));
  });

  server.on('clientError', (error, socket) => {
    if (!socket.writable || errorCode(error) === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const [status, detail] = clientFault(errorCode(error));
    endRaw(socket, { status, code: 'MALFORMED_REQUEST', detail }, randomUUID());
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        errorCode(error) === 'EADDRINUSE'
          ? new StartProblem(
              `Port ${options.port}, which the edge needs, is taken.`,
              'Stop what listens there, or choose another port with PORT_EDGE=… npm start.',
              { cause: error },
            )
          : error,
      );
    });
    server.listen(options.port, options.host, resolve);
  });

  const looking = setInterval(() => {
    void api.look();
    void chat.look();
  }, lookEvery);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return {
    port,
    url: `http://localhost:${port}`,
    close: async () => {
      clearInterval(looking);
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      server.closeAllConnections();
      for (const socket of tunnels) socket.destroy();
      agent.destroy();
      await closed;
    },
  };
}

interface Replica extends Upstream {
  up: boolean;
}

class Replicas {
  private readonly all: Replica[];
  private turn = 0;

  constructor(upstreams: (string | Upstream)[]) {
    this.all = upstreams.map((upstream) => ({
      ...(typeof upstream === 'string' ? { url: upstream } : upstream),
      up: true,
    }));
  }

  get count(): number {
    return this.all.length;
  }

  /** The next one that is up; when none seems to be, the next one, since it may just have come back. */
  next(): Replica | undefined {
    for (let step = 0; step < this.all.length; step += 1) {
      const replica = this.all[this.turn++ % this.all.length];
      if (replica?.up === true) return replica;
    }
    return this.all[this.turn++ % this.all.length];
  }

  async look(): Promise<void> {
    await Promise.all(
      this.all.map(async (replica) => {
        replica.up = await (replica.readyUrl === undefined
          ? accepts(replica.url)
          : isReady(replica.readyUrl));
      }),
    );
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

function accepts(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket: Socket = connect({ host: hostname, port: Number(port) });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(2_000, () => done(false));
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

function isSocketPath(url = ''): boolean {
  return /^\/ws(?:[/?]|$)/.test(url);
}

function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return (
    request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')
  );
}

function setProxyHeaders(request: IncomingMessage): void {
  for (const name of proxyHeaders) delete request.headers[name];
  request.headers['x-forwarded-for'] = request.socket.remoteAddress ?? '';
  request.headers['x-forwarded-proto'] = 'http';
  if (request.headers.host !== undefined) {
    request.headers['x-forwarded-host'] = request.headers.host;
  }
}

/** What the edge itself answers instead of a gateway. */
interface Failure {
  status: number;
  code: ErrorCode;
  detail: string;
  /** Seconds. */
  retryAfter?: number;
}

const noSocketHere: Failure = {
  status: 404,
  code: 'NOT_FOUND',
  detail: 'There is no WebSocket at this address; use /ws/chat.',
};

const unavailable: Failure = {
  status: 503,
  code: 'SERVICE_UNAVAILABLE',
  detail: 'The service is not available right now. Try again in a moment.',
  retryAfter: 1,
};

const deadlineExceeded: Failure = {
  status: 504,
  code: 'DEADLINE_EXCEEDED',
  detail: 'No answer came in time. Check whether it took effect before you try again.',
};

function tooLarge(limit: number): Failure {
  const detail = `The body may have at most ${limit} bytes. Send less at once.`;
  return { status: 413, code: 'BODY_TOO_LARGE', detail };
}

function clientFault(code: string | undefined): [status: number, detail: string] {
  if (code === 'HPE_HEADER_OVERFLOW') return [431, 'The headers of the request are too large.'];
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return [408, 'The request did not arrive in time.'];
  return [400, 'This is not a valid HTTP request.'];
}

/** Headers and body of a failure in the error format. */
function render(
  { status, code, detail, retryAfter }: Failure,
  requestId: string,
): { headers: Record<string, string>; text: string } {
  const text = JSON.stringify(httpErrorBody({ code, detail }, requestId, status));
  return {
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(text)),
      'X-Request-ID': requestId,
      ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
    },
    text,
  };
}

function send(response: ServerResponse, failure: Failure): void {
  const request = response.req;
  const { headers, text } = render(failure, requestIdOf(request));
  response.writeHead(failure.status, {
    ...headers,
    ...(hasBody(request) ? { Connection: 'close' } : {}),
  });
  if (request.complete || !hasBody(request)) response.end(text);
  else endAfterBody(response, text);
}

/** The answer is complete for the client, and the connection stays until the client has sent its body. */
function endAfterBody(response: ServerResponse, text: string): void {
  const request = response.req;
  response.write(text);
  let left = linger.bytes;
  const end = (): void => {
    clearTimeout(timer);
    response.end();
  };
  const timer = setTimeout(end, linger.milliseconds);
  request.unpipe();
  request.on('data', (bytes: Buffer) => {
    left -= bytes.length;
    if (left < 0) end();
  });
  request.once('end', end);
  request.once('close', end);
}

/** Answers on a bare socket, where there is no response object. */
function endRaw(socket: Duplex, failure: Failure, requestId: string): void {
  const { headers, text } = render(failure, requestId);
  socket.end(
    [
      `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status]}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      'Connection: close',
      '',
      text,
    ].join('\r\n'),
  );
}

const style =
  'body{font:1.1rem/1.6 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}';

const landingPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>MentorHub</title>
<style>${style}</style>
</head>
<body>
<h1>MentorHub</h1>
<p>The system is running.</p>
<ul>
<li><a href="/docs">API documentation (Swagger UI)</a></li>
<li><a href="/redoc">API reference (ReDoc)</a></li>
<li><a href="/health">Health</a></li>
<li><a href="/dev/mail">Mails it has sent</a> (local profile)</li>
</ul>
</body>
</html>
`;

const landingHeaders = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Length': Buffer.byteLength(landingPage),
  'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  'X-Content-Type-Options': 'nosniff',
};

function sendLandingPage(response: ServerResponse): void {
  response.writeHead(200, landingHeaders);
  response.end(landingPage);
}
