import { type Caller, type OnlineUsers, Presence } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { type PresenceReport, PresenceService, type Renewal } from './presence.service.js';

@Controller()
export class PresenceController {
  constructor(private readonly presence: PresenceService) {}

  @Handle(Presence.online)
  online(_actor: Caller): Promise<OnlineUsers> {
    return this.presence.online();
  }

  @Handle(Presence.report)
  report(_actor: Caller | undefined, report: PresenceReport): Promise<Renewal> {
    return this.presence.report(report);
  }
}
