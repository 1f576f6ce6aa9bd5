import {
  type AckFrame,
  type ById,
  type Caller,
  Messages,
  type MessageView,
  type ReadResult,
  type SendMessage,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { MessagesService } from './messages.service.js';
import { ReceiptsService } from './receipts.service.js';

@Controller()
export class MessagesController {
  constructor(
    private readonly messages: MessagesService,
    private readonly receipts: ReceiptsService,
  ) {}

  @Handle(Messages.send)
  send(actor: Caller, message: SendMessage): Promise<MessageView> {
    return this.messages.send(actor, message);
  }

  @Handle(Messages.post)
  post(actor: Caller, message: SendMessage & { connection_id?: string }): Promise<AckFrame> {
    return this.messages.post(actor, message);
  }

  @Handle(Messages.read)
  read(actor: Caller, { id }: ById): Promise<ReadResult> {
    return this.receipts.readUpTo(actor, id);
  }
}
