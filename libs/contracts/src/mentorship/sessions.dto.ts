import { Transform } from 'class-transformer';
import {
  Choice,
  Currency,
  Id,
  Instant,
  Integer,
  Money,
  Nested,
  Text,
  WebAddress,
} from '../core/fields.js';
import { PageOf, PageQuery } from '../core/page.dto.js';
import {
  type BookingStatus,
  bookingStatuses,
  parties,
  type Party,
  type PaymentStatus,
  paymentStatuses,
} from './bookings.dto.js';

/** A booking's status as the `/sessions` view shows it. */
export const sessionStatuses = [
  'scheduled',
  'completed',
  'cancelled',
  'expired',
  'no_show',
] as const;
export type SessionStatus = (typeof sessionStatuses)[number];

export class BookSession {
  @Id({ example: 1 })
  mentor_id: number;

  @Instant({ description: 'Start of a free slot.' })
  scheduled_at: string;

  @Integer({ min: 15, max: 480, example: 60 })
  duration_minutes: number;

  @Text({ max: 200, example: 'Preparing for an interview' })
  topic: string;

  @Text({ min: 0, max: 4000, optional: true, example: 'I need help with algorithms.' })
  notes?: string;
}

export class SessionMentor {
  @Id({ description: 'Id of the mentor profile.' })
  id: number;

  @Id()
  user_id: number;

  @Text({ max: 120 })
  full_name: string;

  @WebAddress({ nullable: true })
  avatar_url: string | null;
}

export class SessionStudent {
  @Id()
  id: number;

  @Text({ max: 120 })
  full_name: string;

  @WebAddress({ nullable: true })
  avatar_url: string | null;
}

/** A booking as `/sessions` shows it. */
export class SessionView {
  @Id({ example: 1 })
  id: number;

  @Nested(() => SessionMentor)
  mentor: SessionMentor;

  @Nested(() => SessionStudent)
  student: SessionStudent;

  @Instant()
  scheduled_at: string;

  @Integer({ example: 60 })
  duration_minutes: number;

  @Text({ max: 200 })
  topic: string;

  @Text({ max: 4000, nullable: true })
  notes: string | null;

  @Choice(sessionStatuses)
  status: SessionStatus;

  @Choice(bookingStatuses)
  booking_status: BookingStatus;

  @Money()
  price: number;

  @Currency()
  currency: string;

  @Choice(paymentStatuses)
  payment_status: PaymentStatus;

  @WebAddress({
    nullable: true,
    insecure: true,
    description: 'Where to pay; null once nothing is due.',
  })
  payment_url: string | null;

  @WebAddress({ nullable: true, insecure: true, description: 'Page that leads to the meeting.' })
  join_url: string | null;

  @WebAddress({ nullable: true })
  meeting_url: string | null;

  @Text({ max: 40, nullable: true, example: 'zoom' })
  meeting_platform: string | null;

  @Integer({ min: 1, max: 5, nullable: true })
  rating: number | null;

  @Choice(parties, {
    nullable: true,
    description: 'Who missed it, when the booking status is `no_show`.',
  })
  absent_party: Party | null;

  @Instant({ nullable: true })
  completed_at: string | null;

  @Integer({ description: 'Guards against stale writes.' })
  version: number;
}

export class SessionPage extends PageOf(SessionView) {}

export class ListSessions extends PageQuery {
  @Choice(sessionStatuses, { optional: true })
  status?: SessionStatus;

  @Choice([...parties, 'student'], { optional: true, description: 'Default: both sides.' })
  @Transform(({ value }: { value: unknown }) => (value === 'student' ? 'mentee' : value))
  role?: Party;

  @Instant({ optional: true })
  from?: string;

  @Instant({ optional: true })
  to?: string;
}

export class ConfirmSession {
  @Integer({ min: 1, optional: true })
  version?: number;
}

export class CancelSession {
  @Text({ max: 500, optional: true })
  reason?: string;

  @Integer({ min: 1, optional: true })
  version?: number;
}

export class CompleteSession {
  @Integer({ min: 1, max: 5, optional: true, example: 5 })
  rating?: number;

  @Text({ max: 4000, optional: true, description: 'Public, with the rating.' })
  review?: string;

  @Text({ max: 4000, optional: true, description: 'For the other party only.' })
  feedback?: string;
}

export class CompletedSession {
  @Id()
  id: number;

  @Choice(sessionStatuses)
  status: SessionStatus;

  @Integer({ nullable: true })
  rating: number | null;

  @Instant()
  completed_at: string;
}
