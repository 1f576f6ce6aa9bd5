import { MessagingModule, ServiceMessagingModule } from '@mentorhub/messaging';
import { PeopleModule } from '@mentorhub/people';
import { classifyDatabaseError, PersistenceModule } from '@mentorhub/persistence';
import { databaseSettings, eventSettings, natsConnection } from '@mentorhub/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { ChatsController } from './chats/chats.controller.js';
import { ChatsService } from './chats/chats.service.js';
import { DirectChats } from './chats/direct-chats.js';
import type { ChatConfig } from './config.js';
import { EventLogController } from './event-log/event-log.controller.js';
import { EventLogEvents } from './event-log/event-log.events.js';
import { EventLog } from './event-log/event-log.js';
import { LogInbox } from './event-log/log-inbox.js';
import { LogTrimmer } from './event-log/log-trimmer.js';
import { MessageSignals } from './messages/message-signals.js';
import { MessageStore } from './messages/message-store.js';
import { MessageWriter } from './messages/message-writer.js';
import { MessagesController } from './messages/messages.controller.js';
import { MessagesService } from './messages/messages.service.js';
import { ReadPublisher } from './messages/read-publisher.js';
import { ReceiptsService } from './messages/receipts.service.js';
import { ErasureEvents } from './personal-data/erasure.events.js';
import { PersonalDataController } from './personal-data/personal-data.controller.js';
import { PresenceController } from './presence/presence.controller.js';
import { PresenceService } from './presence/presence.service.js';
import { schema } from './schema.js';
import { TypingController } from './typing/typing.controller.js';
import { TypingService } from './typing/typing.service.js';

@Module({})
export class AppModule {}

export const appModule = (config: ChatConfig): DynamicModule => ({
  module: AppModule,
  imports: [
    PersistenceModule.forRoot({
      ...databaseSettings(config),
      ...schema,
      applicationName: 'chat',
    }),
    MessagingModule.forRoot({ service: 'chat', connection: natsConnection(config) }),
    ServiceMessagingModule.forRoot({
      classify: classifyDatabaseError,
      ...eventSettings(config),
    }),
    PeopleModule,
  ],
  controllers: [
    ChatsController,
    MessagesController,
    TypingController,
    EventLogController,
    EventLogEvents,
    PresenceController,
    ErasureEvents,
    PersonalDataController,
  ],
  providers: [
    ChatsService,
    DirectChats,
    MessagesService,
    MessageSignals,
    MessageStore,
    MessageWriter,
    ReceiptsService,
    ReadPublisher,
    TypingService,
    EventLog,
    LogInbox,
    LogTrimmer,
    PresenceService,
  ],
});
