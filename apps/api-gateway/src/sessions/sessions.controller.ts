import { type Caller, SessionBookings } from '@mentorhub/contracts';
import {
  BookSession,
  CancelSession,
  CompletedSession,
  CompleteSession,
  ConfirmSession,
  ListSessions,
  SessionPage,
  SessionView,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { AcceptsIdempotencyKey } from '../routing/idempotency-key.decorator.js';
import { Id } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

/** Bookings as MentorHub shows them. */
@ApiTags('Sessions')
@Controller('api/v1/sessions')
export class SessionsController {
  constructor(private readonly requests: RequestClient) {}

  @Post()
  @Sends(SessionBookings.book)
  @AcceptsIdempotencyKey()
  @Summary(
    'Book a session',
    'A start that is taken is answered with the nearest free `alternatives`.',
  )
  @Answers(201, SessionView)
  @Fails('BOOKING_SLOT_TAKEN', 'NOT_FOUND', 'FORBIDDEN', 'EMAIL_NOT_VERIFIED', 'RATE_LIMITED')
  book(@Actor() actor: Caller, @Body() request: BookSession): Promise<RawReply> {
    return this.requests.forward(SessionBookings.book, actor, request);
  }

  @Get()
  @Sends(SessionBookings.list)
  @Summary("List one's sessions")
  @Answers(200, SessionPage)
  list(@Actor() actor: Caller, @Query() query: ListSessions): Promise<RawReply> {
    return this.requests.forward(SessionBookings.list, actor, query);
  }

  @Get(':id')
  @Sends(SessionBookings.get)
  @Summary('Show a session', 'For its two participants only.')
  @Answers(200, SessionView)
  get(@Actor() actor: Caller, @Id() id: number): Promise<RawReply> {
    return this.requests.forward(SessionBookings.get, actor, { id });
  }

  @Post(':id/confirm')
  @Sends(SessionBookings.confirm)
  @Summary('Confirm a session', 'By its mentor.')
  @Answers(200, SessionView)
  @Fails('WRONG_STATE', 'STALE_VERSION', 'FORBIDDEN')
  confirm(
    @Actor() actor: Caller,
    @Id() id: number,
    @Body() request: ConfirmSession,
  ): Promise<RawReply> {
    return this.requests.forward(SessionBookings.confirm, actor, Object.assign(request, { id }));
  }

  @Post(':id/cancel')
  @Sends(SessionBookings.cancel)
  @Summary('Cancel a session', 'By either side; refunds follow the cancellation rules.')
  @Answers(200, SessionView)
  @Fails('WRONG_STATE', 'STALE_VERSION')
  cancel(
    @Actor() actor: Caller,
    @Id() id: number,
    @Body() request: CancelSession,
  ): Promise<RawReply> {
    return this.requests.forward(SessionBookings.cancel, actor, Object.assign(request, { id }));
  }

  @Post(':id/complete')
  @Sends(SessionBookings.complete)
  @Summary('Complete a session', 'From its start time on; the mentee may rate it.')
  @Answers(200, CompletedSession)
  @Fails('WRONG_STATE', 'FORBIDDEN')
  complete(
    @Actor() actor: Caller,
    @Id() id: number,
    @Body() request: CompleteSession,
  ): Promise<RawReply> {
    return this.requests.forward(SessionBookings.complete, actor, Object.assign(request, { id }));
  }
}
