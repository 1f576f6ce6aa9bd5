import { Bookings, type Caller } from '@mentorhub/contracts';
import {
  AddMeetingLink,
  BookingPage,
  BookingView,
  CreateBooking,
  ListBookings,
  UpdateBookingStatus,
} from '@mentorhub/contracts/dto';
import { type RawReply, RequestClient } from '@mentorhub/messaging/client';
import { Body, Controller, Get, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Sends } from '../authentication/access.decorators.js';
import { Actor } from '../authentication/actor.decorator.js';
import { Answers, Fails } from '../routing/answers.decorator.js';
import { AcceptsIdempotencyKey } from '../routing/idempotency-key.decorator.js';
import { Id } from '../routing/id.decorator.js';
import { Summary } from '../routing/summary.decorator.js';

/** Bookings as the Mansa surface shows them. */
@ApiTags('Mansa: bookings')
@Controller('api/v1/mentorship/bookings')
export class BookingsController {
  constructor(private readonly requests: RequestClient) {}

  @Get()
  @Sends(Bookings.list)
  @Summary("List one's bookings")
  @Answers(200, BookingPage)
  list(@Actor() actor: Caller, @Query() query: ListBookings): Promise<RawReply> {
    return this.requests.forward(Bookings.list, actor, query);
  }

  @Post()
  @Sends(Bookings.create)
  @AcceptsIdempotencyKey()
  @Summary(
    'Book a mentor',
    'A start that is taken is answered with the nearest free `alternatives`.',
  )
  @Answers(201, BookingView)
  @Fails('BOOKING_SLOT_TAKEN', 'NOT_FOUND', 'FORBIDDEN', 'EMAIL_NOT_VERIFIED', 'RATE_LIMITED')
  create(@Actor() actor: Caller, @Body() request: CreateBooking): Promise<RawReply> {
    return this.requests.forward(Bookings.create, actor, request);
  }

  @Patch(':id/update_status')
  @Sends(Bookings.updateStatus)
  @Summary('Change the status of a booking', 'By the side that its state allows.')
  @Answers(200, BookingView)
  @Fails('WRONG_STATE', 'STALE_VERSION', 'FORBIDDEN')
  updateStatus(
    @Actor() actor: Caller,
    @Id() id: number,
    @Body() request: UpdateBookingStatus,
  ): Promise<RawReply> {
    return this.requests.forward(Bookings.updateStatus, actor, Object.assign(request, { id }));
  }

  @Patch(':id/add_meeting_link')
  @Sends(Bookings.addMeetingLink)
  @Summary('Set the meeting link of a confirmed booking', 'By its mentor.')
  @Answers(200, BookingView)
  @Fails('WRONG_STATE', 'FORBIDDEN')
  addMeetingLink(
    @Actor() actor: Caller,
    @Id() id: number,
    @Body() request: AddMeetingLink,
  ): Promise<RawReply> {
    return this.requests.forward(Bookings.addMeetingLink, actor, Object.assign(request, { id }));
  }
}
