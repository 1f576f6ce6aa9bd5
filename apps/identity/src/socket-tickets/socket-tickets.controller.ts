import { type Caller, SocketTickets } from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { SocketTicketsService } from './socket-tickets.service.js';

@Controller()
export class SocketTicketsController {
  constructor(private readonly tickets: SocketTicketsService) {}

  @Handle(SocketTickets.issue)
  issue(actor: Caller) {
    return this.tickets.issue(actor);
  }

  @Handle(SocketTickets.redeem)
  redeem(_: Caller | undefined, { ticket }: { ticket: string }) {
    return this.tickets.redeem(ticket);
  }
}
