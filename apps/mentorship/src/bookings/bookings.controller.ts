import {
  type AddMeetingLink,
  type BookingPage,
  Bookings,
  type BookingView,
  type ById,
  type Caller,
  type CreateBooking,
  type ListBookings,
  type BookingAmountDue,
  type UpdateBookingStatus,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Clock } from '@mentorhub/service-kit';
import { Controller } from '@nestjs/common';
import { BookingPlacement, type BookingRequest } from './booking-placement.service.js';
import { bookingView } from './booking-views.js';
import type { BookingSearch } from './bookings.repository.js';
import { BookingsService } from './bookings.service.js';
import { requestedTime } from './domain/requested-time.js';

/** Bookings as the Mansa surface shows them, and what payments requests about them. */
@Controller()
export class BookingsController {
  constructor(
    private readonly bookings: BookingsService,
    private readonly placement: BookingPlacement,
    private readonly clock: Clock,
  ) {}

  @Handle(Bookings.create)
  create(actor: Caller, request: CreateBooking): Promise<BookingView> {
    const attempt = { operation: 'bookings.create', request };
    return this.placement.place(actor, bookingRequestOf(request), attempt, bookingView);
  }

  @Handle(Bookings.list)
  list(actor: Caller, query: ListBookings): Promise<BookingPage> {
    return this.bookings.list(actor, query, filterOf(query, this.clock.now()), bookingView);
  }

  @Handle(Bookings.updateStatus)
  updateStatus(actor: Caller, request: UpdateBookingStatus & ById): Promise<BookingView> {
    return this.bookings.updateStatus(actor, request, bookingView);
  }

  @Handle(Bookings.addMeetingLink)
  addMeetingLink(actor: Caller, request: AddMeetingLink & ById): Promise<BookingView> {
    return this.bookings.addMeetingLink(actor, request, bookingView);
  }

  @Handle(Bookings.amountDue)
  amountDue(
    _actor: Caller | undefined,
    by: { booking_id: number } | { checkout_id: string },
  ): Promise<BookingAmountDue> {
    return this.bookings.amountDue(by);
  }
}

function bookingRequestOf(request: CreateBooking): BookingRequest {
  const { mentor_id, topic, description } = request;
  return {
    mentorId: mentor_id,
    time: (mentorTimezone) => requestedTime(request, mentorTimezone),
    topic,
    notes: description,
  };
}

function filterOf({ role, status, upcoming }: ListBookings, now: Date): Partial<BookingSearch> {
  return {
    party: role,
    statuses: status && [status],
    endsAfter: upcoming ? now : undefined,
    ascending: upcoming,
  };
}
