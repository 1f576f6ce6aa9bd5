import { type Caller, Typing } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { TypingService } from './typing.service.js';

@Controller()
export class TypingController {
  constructor(private readonly typing: TypingService) {}

  @Handle(Typing.show)
  show(actor: Caller, where: { recipient_id?: number; chat_id?: number }): Promise<void> {
    return this.typing.show(actor, where);
  }
}
