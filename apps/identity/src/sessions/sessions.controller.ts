import { type ById, type Caller, Sessions } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { SessionsService } from './sessions.service.js';

@Controller()
export class SessionsController {
  constructor(private readonly sessions: SessionsService) {}

  @Handle(Sessions.list)
  list(actor: Caller) {
    return this.sessions.list(actor);
  }

  @Handle(Sessions.revoke)
  revoke(actor: Caller, { id }: ById) {
    return this.sessions.revoke(actor, id);
  }

  @Handle(Sessions.revoked)
  revoked() {
    return this.sessions.revoked();
  }
}
