import { type Caller, Chats } from '@mentorhub/contracts';
import { ChatPage, MessageHistory, PageQuery, ReadHistory } from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers } from '../routing/answers.decorator.js';
import { Id } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

@ApiTags('Messages')
@Controller('api/v1/messages/chats')
export class ChatsController {
  constructor(private readonly requests: RequestClient) {}

  @Get()
  @Sends(Chats.list)
  @Summary("List one's chats", 'The one with the newest message first.')
  @Answers(200, ChatPage)
  list(@Actor() actor: Caller, @Query() query: PageQuery): Promise<RawReply> {
    return this.requests.forward(Chats.list, actor, query);
  }

  @Get(':id')
  @Sends(Chats.history)
  @Summary('Read the history of a chat', 'By cursor: `before` or `after` a message.')
  @Answers(200, MessageHistory)
  history(
    @Actor() actor: Caller,
    @Id() id: number,
    @Query() query: ReadHistory,
  ): Promise<RawReply> {
    return this.requests.forward(Chats.history, actor, Object.assign(query, { id }));
  }
}
