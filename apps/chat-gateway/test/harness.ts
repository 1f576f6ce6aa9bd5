import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import {
  type Caller,
  EventLog,
  Keys,
  type RequestContract,
  type RevokedSession,
  Sessions,
  sessionRevokedSignal,
  signingKeysChangedSignal,
  SocketTickets,
  type TicketOwner,
  userFrame,
  Users,
} from '@mentorhub/contracts';
import { createGateway, type RunningGateway } from '@mentorhub/service-kit/gateway';
import { ActorSocket, eventually, testDatabase, testNats } from '@mentorhub/testing';
import { connect } from '@nats-io/transport-node';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { appModule } from '../src/app.module.js';
import { readConfig } from '../src/config.js';
import { configure } from '../src/configure.js';

const chatMain = fileURLToPath(new URL('../../chat/dist/main.js', import.meta.url));
const gatewayMain = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const unlimited = { WS_MESSAGES_PER_10_SECONDS: '100000', WS_MESSAGE_BURST: '100000' };

/** NATS with a second user whose signals get lost, as those of a process that dies right after a commit. */
function natsConfig(port: number, storeDirectory: string): string {
  return `
    listen: "127.0.0.1:${port}"
    jetstream { store_dir: ${JSON.stringify(storeDirectory)} }
    authorization { users: [
      { user: all, password: all }
      { user: mute, password: mute, permissions: { publish: { deny: "signal.>" } } }
    ] }`;
}

/** The chat gateway with the real chat service in a process of its own, and a double of identity. */
export async function startWorld(name: string) {
  if (!existsSync(chatMain) || !existsSync(gatewayMain))
    throw new Error('Build first: npm run build.');
  const nats = await testNats({ config: natsConfig });
  const database = await testDatabase(name);
  const identity = await startIdentity(nats.url);
  const gateways: RunningGateway[] = [];
  const processes: ChildProcess[] = [];

  async function startChat(natsUser: 'all' | 'mute' = 'all'): Promise<ChildProcess> {
    const child = spawn(process.execPath, [chatMain], {
      env: {
        PROFILE: 'local',
        LOG_LEVEL: 'warn',
        LOG_FORMAT: 'json',
        MANAGEMENT_PORT: '0',
        RUN_MIGRATIONS: 'true',
        DATABASE_URL_CHAT: database.url,
        DATABASE_DIRECT_URL_CHAT: database.directUrl,
        NATS_URL: nats.url,
        NATS_USER: natsUser,
        NATS_PASSWORD: natsUser,
        GATEWAY_LEASE_SECONDS: '6',
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    processes.push(child);
    await eventually('the chat service to answer', async () => {
      if (child.exitCode !== null) throw new Error(`chat ended with ${child.exitCode}`);
      return identity.ask(EventLog.heads, { user_ids: [] }).catch(() => undefined);
    });
    return child;
  }

  async function startGateway(variables: Record<string, string> = {}): Promise<RunningGateway> {
    const gateway = await createGateway({
      name: 'chat-gateway',
      config: readConfig({
        PROFILE: 'local',
        PORT: '0',
        MANAGEMENT_PORT: '0',
        SHUTDOWN_DELAY_MS: '0',
        NATS_URL: nats.url,
        NATS_USER: 'all',
        NATS_PASSWORD: 'all',
        ...unlimited,
        ...variables,
      }),
      module: appModule,
      configure,
    });
    gateways.push(gateway);
    return gateway;
  }

  /** A gateway in a process of its own, which can be killed. */
  async function startGatewayProcess(): Promise<{ child: ChildProcess; url: string }> {
    const port = await freePort();
    const child = spawn(process.execPath, [gatewayMain], {
      env: {
        PROFILE: 'local',
        LOG_LEVEL: 'warn',
        LOG_FORMAT: 'json',
        PORT: String(port),
        MANAGEMENT_PORT: '0',
        NATS_URL: nats.url,
        NATS_USER: 'all',
        NATS_PASSWORD: 'all',
        ...unlimited,
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    processes.push(child);
    await eventually('the gateway to answer', async () => {
      if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode}`);
      return fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    });
    return { child, url: `ws://127.0.0.1:${port}/ws/chat` };
  }

  return {
    ...identity,
    nats,
    startChat,
    startGateway,
    startGatewayProcess,
    /** Opens a socket with a ticket and waits for its welcome. */
    async socketOf(userId: number, gateway: RunningGateway): Promise<ActorSocket> {
      const ticket = identity.ticketFor(userId);
      const socket = await ActorSocket.open(`${address(gateway)}?ticket=${ticket}`);
      await socket.frame('welcome');
      return socket;
    },
    async stop(): Promise<void> {
      await Promise.all(gateways.map((gateway) => gateway.close()));
      await Promise.all(processes.map((child) => end(child)));
      await identity.close();
      await nats.stop();
      await database.drop();
    },
  };
}

export type World = Awaited<ReturnType<typeof startWorld>>;

export function address(gateway: RunningGateway): string {
  return `${gateway.url.replace('http', 'ws')}/ws/chat`;
}

export function caller(userId: number, sessionId = userId): Caller {
  return { user_id: userId, roles: ['student'], session_id: sessionId };
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** What the gateway and chat ask of identity. */
async function startIdentity(url: string) {
  const connection = await connect({
    servers: url,
    user: 'all',
    pass: 'all',
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
  });
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const jwk = await exportJWK(publicKey);
  const tickets = new Map<string, TicketOwner>();
  const revoked: RevokedSession[] = [];

  function answer<In, Out>(
    contract: RequestContract<In, Out>,
    handle: (request: In) => Out | undefined,
  ): void {
    connection.subscribe(contract.subject, {
      callback: (_error, message) => {
        const result = handle(message.json<In>());
        if (result !== undefined) {
          message.respond(JSON.stringify(result));
          return;
        }
        const headers = message.headers;
        headers?.set('Nats-Service-Error', 'refused');
        headers?.set('Nats-Service-Error-Code', '401');
        message.respond(JSON.stringify({ code: 'UNAUTHENTICATED', detail: 'Unknown ticket.' }), {
          headers,
        });
      },
    });
  }

  answer(Keys.list, () => ({
    keys: [{ kid: 'test', kty: 'RSA', alg: 'RS256', use: 'sig', n: jwk.n ?? '', e: jwk.e ?? '' }],
  }));
  answer(Sessions.revoked, () => ({ sessions: revoked }));
  answer(SocketTickets.redeem, ({ ticket }) => {
    const owner = tickets.get(ticket);
    tickets.delete(ticket);
    return owner;
  });
  answer(Users.people, ({ ids }) => ({
    people: ids
      .filter((id) => id < 1000)
      .map((id) => ({
        user_id: id,
        username: `user${id}`,
        full_name: `User ${id}`,
        avatar_url: null,
        email_verified: true,
      })),
  }));

  let ticketNumber = 0;
  return {
    ticketFor(userId: number, sessionLifetimeSeconds = 600): string {
      const ticket = `ticket-${++ticketNumber}`;
      tickets.set(ticket, {
        caller: caller(userId),
        session_expires_at: Math.floor(Date.now() / 1000) + sessionLifetimeSeconds,
      });
      return ticket;
    },
    tokenFor(userId: number, lifetimeSeconds = 600): Promise<string> {
      return new SignJWT({ sid: userId, roles: ['student'] })
        .setProtectedHeader({ alg: 'RS256', kid: 'test', typ: 'at+jwt' })
        .setSubject(String(userId))
        .setIssuer('mentorhub')
        .setAudience('mentorhub-api')
        .setIssuedAt()
        .setExpirationTime(Math.floor(Date.now() / 1000) + lifetimeSeconds)
        .sign(privateKey);
    },
    revoke(sessionId: number): void {
      const session = {
        session_id: sessionId,
        forget_at: Math.floor(Date.now() / 1000) + 3600,
      };
      revoked.push(session);
      connection.publish(sessionRevokedSignal.subject, JSON.stringify({ data: session }));
    },
    /** Withdraws the key that signed all tokens. */
    withdrawKeys(): void {
      connection.publish(
        signingKeysChangedSignal.subject,
        JSON.stringify({ data: { withdrawn: ['test'] } }),
      );
    },
    /** Publishes a frame to a user's sockets as chat would. */
    signal(userId: number, frame: object): void {
      connection.publish(
        userFrame.subject.replace('*', String(userId)),
        JSON.stringify({ data: { frame } }),
      );
    },
    /** Resolves once identity can be reached, also after NATS was away. */
    ready: () => connection.flush(),
    async ask<In, Out>(contract: RequestContract<In, Out>, data: In): Promise<Out> {
      const reply = await connection.request(contract.subject, JSON.stringify(data));
      return reply.json<Out>();
    },
    close: () => connection.close(),
  };
}
