import { type Caller, Messages } from '@mentorhub/contracts';
import { MessageView, ReadResult, SendMessage } from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { AcceptsIdempotencyKey } from '../routing/idempotency-key.decorator.js';
import { LongId } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

@ApiTags('Messages')
@Controller('api/v1/messages')
export class MessagesController {
  constructor(private readonly requests: RequestClient) {}

  @Post()
  @Sends(Messages.send)
  @AcceptsIdempotencyKey()
  @Summary(
    'Send a message',
    'To a user (`recipient_id`) or into a chat (`chat_id`). The first one to somebody needs a verified address.',
  )
  @Answers(201, MessageView)
  @Fails('NOT_FOUND', 'EMAIL_NOT_VERIFIED')
  send(@Actor() actor: Caller, @Body() request: SendMessage): Promise<RawReply> {
    return this.requests.forward(Messages.send, actor, request);
  }

  @Post(':id/read')
  @Sends(Messages.read)
  @Summary('Read a message, and everything before it in its chat')
  @Answers(200, ReadResult)
  read(@Actor() actor: Caller, @LongId() id: number): Promise<RawReply> {
    return this.requests.forward(Messages.read, actor, { id });
  }
}
