import {
  type Caller,
  type OnlineUsers,
  Presence,
  type PresenceLease,
  type PresenceReport,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { PresenceService } from './presence.service.js';

@Controller()
export class PresenceController {
  constructor(private readonly presence: PresenceService) {}

  @Handle(Presence.online)
  online(actor: Caller): Promise<OnlineUsers> {
    return this.presence.online(actor);
  }

  @Handle(Presence.report)
  report(_actor: Caller | undefined, report: PresenceReport): Promise<PresenceLease> {
    return this.presence.report(report);
  }
}
