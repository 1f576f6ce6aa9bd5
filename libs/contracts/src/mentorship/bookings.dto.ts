import {
  CalendarDate,
  Choice,
  ClockTime,
  Currency,
  Id,
  Instant,
  Integer,
  Money,
  QueryFlag,
  Text,
  TimeZone,
  WebAddress,
} from '../core/fields.js';
import { PageOf, PageQuery } from '../core/page.dto.js';

export const bookingStatuses = [
  'pending',
  'confirmed',
  'completed',
  'cancelled_by_mentor',
  'cancelled_by_mentee',
  'expired',
  'no_show',
] as const;
export type BookingStatus = (typeof bookingStatuses)[number];

export const paymentStatuses = [
  'not_required',
  'unpaid',
  'paid',
  'refunded',
  'partially_refunded',
] as const;
export type PaymentStatus = (typeof paymentStatuses)[number];

export const parties = ['mentor', 'mentee'] as const;
export type Party = (typeof parties)[number];

export class CreateBooking {
  @Id({ example: 1 })
  mentor_id: number;

  @CalendarDate()
  session_date: string;

  @ClockTime()
  start_time: string;

  @ClockTime({ example: '10:30' })
  end_time: string;

  @Text({ max: 200 })
  topic: string;

  @Text({ min: 0, max: 4000, optional: true })
  description?: string;

  @TimeZone({ optional: true, description: "Zone of the times; default: the mentor's." })
  timezone?: string;
}

export class ListBookings extends PageQuery {
  @Choice(parties, { optional: true, description: 'Default: both sides.' })
  role?: Party;

  @Choice(bookingStatuses, { optional: true })
  status?: BookingStatus;

  @QueryFlag({ optional: true, description: 'Only those that have not ended.' })
  upcoming?: boolean;
}

/** A booking as the Mansa surface shows it. */
export class BookingView {
  @Id()
  id: number;

  @Id()
  mentor_id: number;

  @Id({ description: 'User id of the mentor.' })
  mentor_user_id: number;

  @Text({ max: 120 })
  mentor_name: string;

  @Id({ description: 'User id of the mentee.' })
  mentee_id: number;

  @Text({ max: 120 })
  mentee_name: string;

  @Instant({ description: 'Start.' })
  session_date: string;

  @Instant({ description: 'End.' })
  ends_at: string;

  @Integer()
  duration_minutes: number;

  @Text({ max: 200 })
  topic: string;

  @Text({ max: 4000, nullable: true })
  description: string | null;

  @Choice(bookingStatuses)
  status: BookingStatus;

  @Choice(paymentStatuses)
  payment_status: PaymentStatus;

  @Money()
  price: number;

  @Currency()
  currency: string;

  @WebAddress({ nullable: true, insecure: true })
  payment_url: string | null;

  @WebAddress({ nullable: true })
  meeting_url: string | null;

  @Text({ max: 40, nullable: true })
  meeting_platform: string | null;

  @Integer({ min: 1, max: 5, nullable: true })
  rating: number | null;

  @Text({ max: 4000, nullable: true })
  feedback: string | null;

  @Text({ max: 500, nullable: true })
  cancellation_reason: string | null;

  @Choice(parties, { nullable: true, description: 'Who missed it, when the status is `no_show`.' })
  absent_party: Party | null;

  @Integer()
  booking_version: number;

  @Instant()
  created_at: string;
}

export class BookingPage extends PageOf(BookingView) {}

const requestedStatuses = ['confirmed', 'cancelled', 'completed', 'no_show'] as const;
export type RequestedStatus = (typeof requestedStatuses)[number];

export class UpdateBookingStatus {
  @Choice([...requestedStatuses, 'cancelled_by_mentor', 'cancelled_by_mentee'], {
    description:
      '`cancelled` becomes the cancellation of the side that asks. `no_show` reports that the other side was absent.',
    example: 'confirmed',
  })
  status: RequestedStatus | 'cancelled_by_mentor' | 'cancelled_by_mentee';

  @Text({ max: 500, optional: true })
  reason?: string;

  @Integer({ min: 1, optional: true, description: 'A stale one is refused with 409.' })
  booking_version?: number;
}

export class AddMeetingLink {
  @WebAddress({ example: 'https://zoom.us/j/1234567890' })
  meeting_link: string;

  @Text({ max: 40, optional: true, example: 'zoom' })
  meeting_platform?: string;
}
