import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { closeCodes, ApplicationError, requestIdOf } from '@mentorhub/contracts';
import { endWithFailure, securityHeaders } from '@mentorhub/http-server';
import type { WebSocketAdapter, WsMessageHandler } from '@nestjs/common';
import { WebSocketServer } from 'ws';
import { type ChatGatewayConfig, stopLimits } from '../config.js';
import type { PresenceReporter } from '../presence/presence-reporter.js';
import { Connection } from '../delivery/connection.js';
import type { Admission, Place } from './admission.js';
import type { Connections } from './connections.js';
import type { Doorkeeper, Identity } from './doorkeeper.js';
import { closeUnopened, type FrameHandler, FrameReader } from './frame-reader.js';
import { badHandshake, handshakeFault } from './handshake.js';

const maxFrameBytes = 16 * 1024;
/** Most fragments of a frame; regular clients need far fewer. */
const maxFragments = 64;
const closeTimeoutMs = 5000;

type OnConnect = (connection: Connection) => void;

/** The endpoint of a `@WebSocketGateway`. */
interface Endpoint {
  readonly server: WebSocketServer;
  readonly path: string;
  onConnect?: OnConnect;
}

export interface FrameAdapterParts {
  httpServer: Server;
  admission: Admission;
  doorkeeper: Doorkeeper;
  connections: Connections;
  presence: PresenceReporter;
  config: ChatGatewayConfig;
}

/**
 * Connects Nest's `@WebSocketGateway` to `ws`. Unlike Nest's own adapter it checks clients before the upgrade, handles
 * the frames of a socket in order, and answers every frame that it cannot read.
 */
export class FrameAdapter implements WebSocketAdapter<Endpoint, Connection> {
  private readonly readers = new Map<Connection, FrameReader>();
  private readonly identities = new WeakMap<Connection, Identity>();
  private readonly places = new WeakMap<Connection, Place>();
  private draining = false;

  constructor(private readonly parts: FrameAdapterParts) {}

  create(_port: number, { path = '/' }: { path?: string } = {}): Endpoint {
    // A constant, because the type declarations do not know closeTimeout yet.
    const options = {
      noServer: true,
      clientTracking: false,
      maxPayload: maxFrameBytes,
      maxFragments,
      perMessageDeflate: false,
      closeTimeout: closeTimeoutMs,
    };
    const server = new WebSocketServer(options);
    server.on('headers', (headers, request) => {
      const added = { ...securityHeaders, 'X-Request-ID': requestIdOf(request) };
      headers.push(...Object.entries(added).map(([name, value]) => `${name}: ${value}`));
    });
    server.on('wsClientError', (error, socket, request) => {
      endWithFailure(socket, badHandshake(error.message), requestIdOf(request));
    });
    const endpoint: Endpoint = { server, path };
    this.parts.httpServer.on('upgrade', (request, socket, head) => {
      void this.upgrade(endpoint, request, socket, head);
    });
    return endpoint;
  }

  bindClientConnect(endpoint: Endpoint, callback: OnConnect): void {
    endpoint.onConnect = callback;
  }

  bindClientDisconnect(connection: Connection, callback: () => void): void {
    connection.socket.on('close', () => callback());
  }

  bindMessageHandlers(connection: Connection, handlers: WsMessageHandler[]): void {
    const { connections, doorkeeper, config } = this.parts;
    const reader = new FrameReader(connection, {
      // Nest allows observables; the methods of ChatGateway return promises.
      handlers: new Map(
        handlers.map(({ message, callback }) => [message, callback as FrameHandler]),
      ),
      messagesPer10Seconds: config.WS_MESSAGES_PER_10_SECONDS,
      messageBurst: config.WS_MESSAGE_BURST,
      controlFramesPer10Seconds: config.WS_CONTROL_FRAMES_PER_10_SECONDS,
      signIn: async (token) => {
        await connections.open(connection, await doorkeeper.verify(token));
        this.places.get(connection)?.signedIn();
      },
    });
    this.readers.set(connection, reader);
    connection.socket.on('close', (code) => {
      this.readers.delete(connection);
      connections.remove(connection, code);
    });
    // For example a frame over the limit; ws closes with the right code by itself.
    connection.socket.on('error', () => undefined);
    connections.add(connection);
    const identity = this.identities.get(connection);
    if (identity) void this.open(connection, identity, reader);
    else reader.awaitSignIn();
  }

  /**
   * Closes the connections one by one, spread over `WS_DRAIN_SECONDS`: those whose turn has not come are served on, and
   * new ones are refused. Then reports that no user is connected here any more.
   */
  async close(endpoint: Endpoint): Promise<void> {
    this.draining = true;
    const { connections, presence, config } = this.parts;
    const leaving = connections.list();
    const spreadMs = config.WS_DRAIN_SECONDS * 1000;
    const start = performance.now();
    const retiring: Promise<void>[] = [];
    for (const [index, connection] of leaving.entries()) {
      const waitMs = start + (spreadMs * index) / leaving.length - performance.now();
      // A client that leaves by itself leaves nothing to wait for.
      if (waitMs > 0) await within(waitMs, closeOf(connection));
      retiring.push(this.retire(connection));
    }
    await Promise.all(retiring);
    for (const { socket } of connections.list()) socket.terminate();
    endpoint.server.close();
    await presence.leave();
  }

  async dispose(): Promise<void> {}

  /** Finishes the frame that is being handled, so that what is carried out is acknowledged, and closes the connection. */
  private async retire(connection: Connection): Promise<void> {
    const reader = this.readers.get(connection);
    if (reader) await within(stopLimits.lastFrame, reader.finish());
    const closed = closeOf(connection);
    connection.close(closeCodes.draining, 'draining');
    await within(stopLimits.goodbye, closed);
    connection.socket.terminate();
  }

  private async upgrade(
    endpoint: Endpoint,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ): Promise<void> {
    try {
      const url = URL.parse(request.url ?? '/', 'http://gateway');
      if (url?.pathname.replace(/\/$/, '') !== endpoint.path) {
        throw new ApplicationError(
          'NOT_FOUND',
          `There is no WebSocket here: use ${endpoint.path}.`,
        );
      }
      this.refuseIfDraining();
      const { admission, doorkeeper } = this.parts;
      doorkeeper.checkOrigin(request.headers.origin);
      // Before the ticket is used up.
      const fault = handshakeFault(request);
      if (fault !== undefined) {
        endWithFailure(socket, fault, requestIdOf(request));
        return;
      }
      const place = admission.enter(request);
      socket.once('close', () => place.leave());
      const identity = await doorkeeper.identify(url.searchParams);
      this.refuseIfDraining();
      if (!identity) place.awaitSignIn();
      endpoint.server.handleUpgrade(request, socket, head, (client) => {
        const connection = new Connection(client, socket);
        this.places.set(connection, place);
        if (identity) this.identities.set(connection, identity);
        endpoint.onConnect?.(connection);
      });
    } catch (error) {
      if (!(error instanceof ApplicationError)) FrameReader.report(error);
      const refusal =
        error instanceof ApplicationError
          ? error
          : new ApplicationError('SERVICE_UNAVAILABLE', 'Try again in a moment.');
      endWithFailure(socket, refusal, requestIdOf(request));
    }
  }

  private async open(
    connection: Connection,
    identity: Identity,
    reader: FrameReader,
  ): Promise<void> {
    try {
      await this.parts.connections.open(connection, identity);
      reader.begin();
    } catch (error) {
      closeUnopened(connection, error);
    }
  }

  private refuseIfDraining(): void {
    if (this.draining)
      throw new ApplicationError('SERVICE_UNAVAILABLE', 'This gateway is stopping: connect again.');
  }
}

/** Resolves when the socket is closed. */
function closeOf({ socket }: Connection): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState === socket.CLOSED) resolve();
    else socket.once('close', () => resolve());
  });
}

async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const limit = new AbortController();
  await Promise.race([
    work,
    delay(milliseconds, undefined, { signal: limit.signal, ref: false }).catch(() => undefined),
  ]);
  limit.abort();
}
