import { AccessTokenModule } from '@mentorhub/access-token';
import { MessagingModule } from '@mentorhub/messaging/client';
import { natsConnection } from '@mentorhub/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import type { ChatGatewayConfig } from './config.js';
import { Admission } from './connections/admission.js';
import { Connections } from './connections/connections.js';
import { Doorkeeper } from './connections/doorkeeper.js';
import { Conversation } from './delivery/conversation.js';
import { Feeds } from './delivery/feeds.js';
import { Posts } from './delivery/posts.js';
import { ChatGateway } from './connections/chat.gateway.js';
import { PresenceReporter } from './presence/presence-reporter.js';

@Module({})
export class AppModule {}

export const appModule = (config: ChatGatewayConfig): DynamicModule => ({
  module: AppModule,
  imports: [
    MessagingModule.forRoot({ service: 'chat-gateway', connection: natsConnection(config) }),
    AccessTokenModule,
  ],
  providers: [
    Admission,
    Doorkeeper,
    Connections,
    Feeds,
    Posts,
    Conversation,
    PresenceReporter,
    ChatGateway,
  ],
});
