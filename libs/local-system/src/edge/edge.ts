import { Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { requestIdOf } from '@mentorhub/contracts';
import {
  createHttpServer,
  endWithFailure,
  type HttpFailure,
  sendFailure,
} from '@mentorhub/http-server';
import { errorCode, StartProblem } from '../problem.js';
import { forward, type NoAnswer } from './forward.js';
import { hasBody } from './headers.js';
import { sendLandingPage } from './landing-page.js';
import { Replicas, type Upstream } from './replicas.js';
import { tunnel } from './tunnel.js';

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
  /** How long a client may take for the headers of a request, in milliseconds; default: 10 s. */
  headersTimeoutMs?: number;
}

export interface Edge {
  readonly url: string;
  readonly port: number;
  /** How many connections of clients are open, WebSockets included. */
  connections(): Promise<number>;
  /** Closes every connection. */
  close(): Promise<void>;
}

/** How often the readiness of the replicas is checked. */
const checkEvery = 500;

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
  const { maxBodyBytes = 10 * 1024 * 1024, answerTimeoutMs = 65_000, headersTimeoutMs } = options;
  const api = new Replicas(options.apiGateways);
  const chat = new Replicas(options.chatGateways);
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 256 });
  const tunnels = new Set<Duplex>();

  const server = createHttpServer(
    { headersTimeout: headersTimeoutMs, idleTimeout: answerTimeoutMs + 10_000 },
    (request, response) => {
      if (request.url === '/' && (request.method === 'GET' || request.method === 'HEAD')) {
        sendLandingPage(response);
        return;
      }
      // A gateway that refuses a body while it is being sent closes the connection, and its answer is lost on the way.
      if (Number(request.headers['content-length']) > maxBodyBytes) {
        sendFailure(response, tooLarge(maxBodyBytes));
        return;
      }
      pass(request, response, isSocketPath(request.url) ? chat : api, 1);
    },
  );

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
      sendFailure(response, unavailable);
      return;
    }
    const onNoAnswer = (reason: NoAnswer): void => {
      if (reason === 'refused') {
        replica.up = false;
        if (!hasBody(request) && tries < replicas.count) {
          pass(request, response, replicas, tries + 1);
          return;
        }
      }
      // A body of unknown length went on for too long, and the gateway hung up.
      const overLimit = !request.complete && request.socket.bytesRead > maxBodyBytes;
      sendFailure(response, overLimit ? tooLarge(maxBodyBytes) : failureOf(reason));
    };
    forward(request, response, replica.url, { agent, answerTimeoutMs, onNoAnswer });
  }

  /** Another replica is tried when one refuses the connection: no byte of the handshake was sent. */
  function connect(request: IncomingMessage, socket: Duplex, head: Buffer, tries: number): void {
    const replica = chat.next();
    if (replica === undefined) {
      endWithFailure(socket, unavailable, requestIdOf(request));
      return;
    }
    const onNoAnswer = (reason: NoAnswer): void => {
      if (reason === 'refused') {
        replica.up = false;
        if (tries < chat.count) {
          connect(request, socket, head, tries + 1);
          return;
        }
      }
      endWithFailure(socket, failureOf(reason), requestIdOf(request));
    };
    tunnel(request, socket, head, replica.url, { answerTimeoutMs, onNoAnswer });
  }

  server.on('upgrade', (request, socket, head) => {
    tunnels.add(socket);
    socket.once('close', () => tunnels.delete(socket));
    if (isSocketPath(request.url)) connect(request, socket, head, 1);
    else endWithFailure(socket, noSocketHere, requestIdOf(request));
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

  const checking = setInterval(() => {
    void api.check();
    void chat.check();
  }, checkEvery);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : options.port;
  return {
    port,
    url: `http://localhost:${port}`,
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      }),
    close: async () => {
      clearInterval(checking);
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

function isSocketPath(url = ''): boolean {
  return /^\/ws(?:[/?]|$)/.test(url);
}

const noSocketHere: HttpFailure = {
  status: 404,
  code: 'NOT_FOUND',
  detail: 'There is no WebSocket at this address; use /ws/chat.',
};

const unavailable: HttpFailure = {
  status: 503,
  code: 'SERVICE_UNAVAILABLE',
  detail: 'The service is not available right now. Try again in a moment.',
};

const deadlineExceeded: HttpFailure = {
  status: 504,
  code: 'DEADLINE_EXCEEDED',
  detail: 'No answer came in time. Check whether it took effect before you try again.',
};

function failureOf(reason: NoAnswer): HttpFailure {
  return reason === 'silent' ? deadlineExceeded : unavailable;
}

function tooLarge(limit: number): HttpFailure {
  const detail = `The body may have at most ${limit} bytes. Send less at once.`;
  return { status: 413, code: 'BODY_TOO_LARGE', detail };
}
