import {
  type BookingStatus,
  type BookSession,
  type ById,
  type Caller,
  type CancelSession,
  type CompletedSession,
  type CompleteSession,
  type ConfirmSession,
  type ListSessions,
  SessionBookings,
  type SessionPage,
  type SessionStatus,
  type SessionView,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { BookingPlacement, type BookingRequest } from './booking-placement.service.js';
import { sessionStatusOf, sessionView } from './booking-views.js';
import type { BookingSearch } from './bookings.repository.js';
import { BookingsService } from './bookings.service.js';

/** Bookings as `/sessions` shows them. */
@Controller()
export class SessionBookingsController {
  constructor(
    private readonly bookings: BookingsService,
    private readonly placement: BookingPlacement,
  ) {}

  @Handle(SessionBookings.book)
  book(actor: Caller, request: BookSession): Promise<SessionView> {
    const attempt = { operation: 'session_bookings.book', request };
    return this.placement.place(actor, bookingRequestOf(request), attempt, sessionView);
  }

  @Handle(SessionBookings.list)
  list(actor: Caller, query: ListSessions): Promise<SessionPage> {
    return this.bookings.list(actor, query, filterOf(query), sessionView);
  }

  @Handle(SessionBookings.get)
  get(actor: Caller, { id }: ById): Promise<SessionView> {
    return this.bookings.get(actor, id, sessionView);
  }

  @Handle(SessionBookings.confirm)
  confirm(actor: Caller, request: ConfirmSession & ById): Promise<SessionView> {
    return this.bookings.confirm(actor, request, sessionView);
  }

  @Handle(SessionBookings.cancel)
  cancel(actor: Caller, request: CancelSession & ById): Promise<SessionView> {
    return this.bookings.cancel(actor, request, sessionView);
  }

  @Handle(SessionBookings.complete)
  complete(actor: Caller, request: CompleteSession & ById): Promise<CompletedSession> {
    return this.bookings.complete(actor, request);
  }
}

function bookingRequestOf(request: BookSession): BookingRequest {
  const { mentor_id, scheduled_at, duration_minutes, topic, notes } = request;
  const time = { start: Date.parse(scheduled_at), durationMinutes: duration_minutes };
  return { mentorId: mentor_id, time: () => time, topic, notes };
}

function filterOf({ status, role, from, to }: ListSessions): Partial<BookingSearch> {
  return {
    party: role,
    statuses: status && statusesBehind(status),
    from: from === undefined ? undefined : new Date(from),
    to: to === undefined ? undefined : new Date(to),
  };
}

function statusesBehind(status: SessionStatus): BookingStatus[] {
  const all = Object.keys(sessionStatusOf) as BookingStatus[];
  return all.filter((one) => sessionStatusOf[one] === status);
}
