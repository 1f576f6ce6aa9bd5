import {
  type Access,
  type ActorOf,
  type Caller,
  ApplicationError,
  type EventContract,
  type RequestContract,
} from '@mentorhub/contracts';
import {
  MessagingModule,
  RequestClient,
  type RequestContext,
  requestContext,
} from '@mentorhub/messaging';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { connect, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { randomUUID, randomUUIDv7 } from 'node:crypto';
import { eventually } from '@mentorhub/testing';

/** The rest of the system as one service sees it: a gateway with requests, and services that answer and publish. */
export class Neighbours {
  private constructor(
    private readonly connection: NatsConnection,
    private readonly gateway: INestApplicationContext,
  ) {}

  static async connect(natsUrl: string): Promise<Neighbours> {
    const messaging = MessagingModule.forRoot({
      service: 'api-gateway',
      connection: { servers: natsUrl },
    });
    return new Neighbours(
      await connect({ servers: natsUrl }),
      await NestFactory.createApplicationContext(messaging, { logger: false }),
    );
  }

  /**
   * Sends a request as a gateway does.
   * @param actor the principal; a number is the id of a user with the role `student`
   */
  ask<In, Out, A extends Access>(
    contract: RequestContract<In, Out, A>,
    actor: Caller | number | undefined,
    data: In,
    context: Partial<RequestContext> = {},
  ): Promise<Out> {
    const caller: Caller | undefined =
      typeof actor === 'number' ? { user_id: actor, roles: ['student'], session_id: 1 } : actor;
    return requestContext.run({ requestId: randomUUID(), ...context }, () =>
      this.gateway.get(RequestClient).request(contract, caller as ActorOf<A>, data),
    );
  }

  /** Publishes an event as another service's relay does; waits until the stream has it. Returns the event's id. */
  async publish<Data>(
    event: EventContract<Data>,
    aggregateId: string | number,
    data: Data,
    id: string = randomUUIDv7(),
  ): Promise<string> {
    const envelope = JSON.stringify({
      id,
      type: event.type,
      occurred_at: new Date().toISOString(),
      aggregate_id: String(aggregateId),
      version: event.version,
      data,
    });
    await eventually('the event stream', () =>
      this.connection.request(event.subject, envelope, { timeout: 2000 }).then(
        (stored) => stored.json<{ seq?: number }>().seq,
        () => undefined,
      ),
    );
    return id;
  }

  /**
   * Answers a request in place of another service; what `reply` throws is answered as an error, and a promise that never
   * resolves is silence.
   * @returns ends that
   */
  answer<In, Out, A extends Access>(
    { subject }: RequestContract<In, Out, A>,
    reply: (request: In) => Out | Promise<Out>,
  ): () => void {
    const respond = async (message: Msg): Promise<void> => {
      try {
        message.respond(JSON.stringify(await reply(message.json<In>())));
      } catch (error) {
        const { code, detail } =
          error instanceof ApplicationError
            ? error
            : new ApplicationError('INTERNAL', String(error));
        const failed = headers();
        failed.set('Nats-Service-Error', detail);
        failed.set('Nats-Service-Error-Code', code);
        message.respond(JSON.stringify({ code, detail }), { headers: failed });
      }
    };
    const subscription = this.connection.subscribe(subject, {
      callback: (_error, message) => void respond(message),
    });
    return () => subscription.unsubscribe();
  }

  /** Resolves when NATS has processed all subscriptions and their ends. */
  flush(): Promise<void> {
    return this.connection.flush();
  }

  async close(): Promise<void> {
    await this.gateway.close();
    await this.connection.close();
  }
}
