import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { connectNats, NatsConnectionProvider } from './connection/nats-connection.provider.js';
import { ReplyRouter } from './connection/reply-router.js';
import { DeadLetters } from './events/dead-letters.js';
import { EventConsumer } from './events/event-consumer.js';
import { EventHandlers } from './events/event-handlers.js';
import { EventStream } from './events/event-stream.js';
import { EventWorker } from './events/event-worker.js';
import { Inbox } from './events/inbox.js';
import { OutboxRelay } from './events/outbox-relay.js';
import { Outbox } from './events/outbox.js';
import { Republisher } from './events/republisher.js';
import { LeaderLock } from './events/leader-lock.js';
import type { MessagingOptions, ServiceMessagingOptions } from './messaging.options.js';
import { OperationsHandlers } from './operations/operations.handlers.js';
import { PassThroughFilter } from './requests/pass-through.filter.js';
import { RequestClient } from './requests/request-client.js';
import { ServiceTransport } from './requests/service-transport.js';
import { Signals } from './signals.js';
import { MESSAGING_OPTIONS, NATS_CONNECTION, SERVICE_MESSAGING_OPTIONS } from './tokens.js';

const serviceProviders: Provider[] = [
  EventHandlers,
  EventStream,
  Inbox,
  EventConsumer,
  LeaderLock,
  OutboxRelay,
  EventWorker,
  Outbox,
  DeadLetters,
  Republisher,
  ServiceTransport,
];

/** The part that only services have. */
@Module({})
class ServiceMessagingModule {}

/** Messaging of an app. */
@Module({})
export class MessagingModule {
  /** What every app needs: the NATS connection, `RequestClient` and `Signals`, available everywhere. */
  static forRoot(options: MessagingOptions): DynamicModule {
    return {
      module: MessagingModule,
      global: true,
      providers: [
        { provide: MESSAGING_OPTIONS, useValue: options },
        { provide: NATS_CONNECTION, useFactory: () => connectNats(options) },
        NatsConnectionProvider,
        ReplyRouter,
        RequestClient,
        Signals,
      ],
      exports: [
        MESSAGING_OPTIONS,
        NATS_CONNECTION,
        NatsConnectionProvider,
        ReplyRouter,
        RequestClient,
        Signals,
      ],
    };
  }

  /**
   * What a service needs besides: `ServiceTransport`, `Outbox`, the relay, event handling, dead letters and the
   * requests of its operators. Needs the TypeORM `DataSource` and the tables of `messagingMigrations`.
   */
  static forService(options: ServiceMessagingOptions = {}): DynamicModule {
    return {
      module: ServiceMessagingModule,
      global: true,
      providers: [
        { provide: SERVICE_MESSAGING_OPTIONS, useValue: options },
        { provide: APP_FILTER, useClass: PassThroughFilter },
        ...serviceProviders,
        OperationsHandlers,
      ],
      exports: [DeadLetters, EventWorker, Outbox, Republisher, ServiceTransport],
    };
  }
}
