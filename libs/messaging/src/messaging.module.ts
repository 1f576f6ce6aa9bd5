import { type DynamicModule, Module } from '@nestjs/common';
import { connectNats, NatsConnectionProvider } from './connection/nats-connection.provider.js';
import { ReplyRouter } from './connection/reply-router.js';
import type { MessagingOptions } from './messaging.options.js';
import { RequestClient } from './requests/request-client.js';
import { Signals } from './signals.js';
import { MESSAGING_OPTIONS, NATS_CONNECTION } from './tokens.js';

/** Messaging of an app; services add `ServiceMessagingModule`. */
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
}
