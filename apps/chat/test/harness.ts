import {
  type AckDetails,
  type Caller,
  ApplicationError,
  Messages,
  messagesStored,
  type SendMessage,
  type SignalledMessage,
  userFrame,
  Users,
} from '@mentorhub/contracts';
import { MessagingModule, NATS_CONNECTION, RequestClient, Signals } from '@mentorhub/messaging';
import { type Clock, createService } from '@mentorhub/service-kit';
import { testDatabase, type TestDatabase, testNats } from '@mentorhub/testing';
import type { NatsConnection } from '@nats-io/transport-node';
import { Test } from '@nestjs/testing';
import { DataSource } from 'typeorm';
import { appModule } from '../src/app.module.js';
import { readConfig } from '../src/config.js';

export function caller(userId: number): Caller {
  return { user_id: userId, roles: ['student'], session_id: userId };
}

/** Frames signalled to a user, as a gateway receives them. */
export interface Listener {
  readonly frames: { type: string }[];
  readonly messages: SignalledMessage[];
}

/** The chat service on its own NATS and database, with a client as a gateway has it, and a double of identity. */
export async function startChat(
  name: string,
  variables:
    Record<string, string> | ((database: TestDatabase) => Promise<Record<string, string>>) = {},
) {
  const nats = await testNats();
  const database = await testDatabase(name);
  const extra = typeof variables === 'function' ? await variables(database) : variables;
  const gateway = await Test.createTestingModule({
    imports: [
      MessagingModule.forRoot({ service: 'chat-gateway', connection: { servers: nats.url } }),
    ],
  }).compile();
  await gateway.init();
  const connection = gateway.get<NatsConnection>(NATS_CONNECTION);

  const unverified = new Set<number>();
  // Identity knows the users 1 to 999.
  connection.subscribe(Users.people.subject, {
    callback: (_error, message) => {
      const { ids } = message.json<{ ids: number[] }>();
      const people = ids
        .filter((id) => id < 1000)
        .map((id) => ({
          user_id: id,
          username: `user${id}`,
          full_name: `User ${id}`,
          avatar_url: null,
          email_verified: !unverified.has(id),
        }));
      message.respond(JSON.stringify({ people }));
    },
  });

  const startReplica = (clock?: Clock) =>
    createService({
      name: 'chat',
      config: readConfig({
        PROFILE: 'local',
        MANAGEMENT_PORT: '0',
        RUN_MIGRATIONS: 'true',
        DATABASE_URL_CHAT: database.url,
        DATABASE_DIRECT_URL_CHAT: database.directUrl,
        NATS_URL: nats.url,
        ...extra,
      }),
      module: appModule,
      clock,
    });
  const service = await startReplica();
  const signals = gateway.get(Signals);

  const requests = gateway.get(RequestClient);
  return {
    /** Sends a message as a socket does. @throws ApplicationError */
    async post(from: number, message: SendMessage, origin?: string): Promise<AckDetails> {
      const { answers } = await requests.request(Messages.post, undefined, {
        posts: [{ sender_id: from, message, origin }],
      });
      const [answer] = answers;
      if (!answer) throw new Error('The post was not answered.');
      if ('problem' in answer) throw ApplicationError.fromProblem(answer.problem);
      return answer.ack;
    },
    /** Users whose email address identity calls not verified. */
    unverified,
    nats,
    connection,
    service,
    startReplica,
    requests,
    signals,
    sql: service.app.get(DataSource),
    listen(userId: number): Listener {
      const listener: Listener = { frames: [], messages: [] };
      signals.subscribe(userFrame, ({ frame }) => listener.frames.push(frame), userId);
      signals.subscribe(messagesStored, ({ messages }) => {
        const own = messages.filter(({ offsets }) => offsets.some(([user]) => user === userId));
        listener.messages.push(...own);
        listener.frames.push(...own.map(({ frame }) => frame));
      });
      return listener;
    },
    async stop(): Promise<void> {
      await service.close();
      await gateway.close();
      await nats.stop();
      await database.drop();
    },
  };
}

export type TestChat = Awaited<ReturnType<typeof startChat>>;
