import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { DeadLetters } from './events/dead-letters.js';
import { EventConsumer } from './events/event-consumer.js';
import { EventHandlers } from './events/event-handlers.js';
import { EventProcesses } from './events/event-processes.js';
import { EventStream } from './events/event-stream.js';
import { EventWorker } from './events/event-worker.js';
import { Inbox } from './events/inbox.js';
import { OutboxRelay } from './events/outbox-relay.js';
import { Outbox } from './events/outbox.js';
import { Republisher } from './events/republisher.js';
import { LeaderLock } from './events/leader-lock.js';
import { OperationsHandlers } from './operations/operations.handlers.js';
import { PassThroughFilter } from './requests/pass-through.filter.js';
import { ServiceTransport } from './requests/service-transport.js';
import type { ServiceMessagingOptions } from './messaging.options.js';
import { SERVICE_MESSAGING_OPTIONS } from './tokens.js';

const serviceProviders: Provider[] = [
  EventHandlers,
  EventProcesses,
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

/** What a service needs beside `MessagingModule`, which every app has. */
@Module({})
export class ServiceMessagingModule {
  /**
   * `ServiceTransport`, `Outbox`, the relay, event handling, dead letters and the requests of its operators. Needs the
   * TypeORM `DataSource` and the tables of `messagingMigrations`.
   */
  static forRoot(options: ServiceMessagingOptions = {}): DynamicModule {
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
