import { type Caller, Presence, SocketTickets } from '@mentorhub/contracts';
import { OnlineUsers, SocketTicket } from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Controller, Get, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers } from '../routing/answers.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

/** What surrounds the WebSocket, which itself is served by the chat gateway. */
@ApiTags('WebSocket')
@Controller('api/v1/ws')
export class WsController {
  constructor(private readonly requests: RequestClient) {}

  @Get('online-users')
  @Sends(Presence.online)
  @Summary('List the users that are online')
  @Answers(200, OnlineUsers)
  onlineUsers(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(Presence.online, actor, {});
  }

  @Post('ticket')
  @Sends(SocketTickets.issue)
  @Summary(
    'Get a ticket for the WebSocket',
    'Works once, so that no token needs to stand in an address.',
  )
  @Answers(200, SocketTicket)
  ticket(@Actor() actor: Caller): Promise<RawReply> {
    return this.requests.forward(SocketTickets.issue, actor, {});
  }
}
