import {
  type ById,
  type Caller,
  type ChatPage,
  Chats,
  type MessageHistory,
  type PageQuery,
  type ReadHistory,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { ChatsService } from './chats.service.js';

@Controller()
export class ChatsController {
  constructor(private readonly chats: ChatsService) {}

  @Handle(Chats.list)
  list(actor: Caller, query: PageQuery): Promise<ChatPage> {
    return this.chats.list(actor, query);
  }

  @Handle(Chats.history)
  history(actor: Caller, query: ReadHistory & ById): Promise<MessageHistory> {
    return this.chats.history(actor, query);
  }
}
