import {
  type ById,
  type Caller,
  type Device,
  type PageRequest,
  Sessions,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { SessionsService } from './sessions.service.js';

@Controller()
export class SessionsController {
  constructor(private readonly sessions: SessionsService) {}

  @Handle(Sessions.list)
  list(actor: Caller, query: PageRequest) {
    return this.sessions.list(actor, query);
  }

  @Handle(Sessions.revoke)
  revoke(actor: Caller, request: ById & { device: Device }) {
    return this.sessions.revoke(actor, request);
  }

  @Handle(Sessions.revokeOthers)
  revokeOthers(actor: Caller, { device }: { device: Device }) {
    return this.sessions.revokeOthers(actor, device);
  }

  @Handle(Sessions.revoked)
  revoked() {
    return this.sessions.revoked();
  }
}
