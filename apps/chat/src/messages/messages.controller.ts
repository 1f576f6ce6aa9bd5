import {
  type ById,
  type Caller,
  Messages,
  type MessageView,
  type PostAnswer,
  type ReadResult,
  type SendMessage,
  type SocketPost,
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
  async post(
    _actor: Caller | undefined,
    { posts }: { posts: SocketPost[] },
  ): Promise<{ answers: PostAnswer[] }> {
    return { answers: await Promise.all(posts.map((post) => this.messages.post(post))) };
  }

  @Handle(Messages.read)
  read(actor: Caller, { id }: ById): Promise<ReadResult> {
    return this.receipts.readUpTo(actor, id);
  }
}
