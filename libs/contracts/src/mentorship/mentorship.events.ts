import { event } from '../core/event.js';
import type { BookingStatus, Party, PaymentStatus } from './bookings.dto.js';
import type { BookingAmountDue } from './mentorship.requests.js';

export interface MentorFact {
  mentor_id: number;
  user_id: number;
}

/** What an administrator decided on an application. */
export interface MentorDecision extends MentorFact {
  /** The administrator; absent where the system decided, and in events of versions that did not say. */
  decided_by?: number;
}

export const mentorApplied = event<MentorFact>('mentorship.mentor.applied');
export const mentorApproved = event<MentorDecision>('mentorship.mentor.approved');
export const mentorRejected = event<MentorDecision & { reason: string }>(
  'mentorship.mentor.rejected',
);
export const mentorUpdated = event<MentorFact>('mentorship.mentor.updated');

/** A booking as the event left it. */
export interface BookingFact {
  booking_id: number;
  mentor_id: number;
  mentor_user_id: number;
  mentor_name: string;
  mentee_user_id: number;
  mentee_name: string;
  /** RFC 3339, UTC. */
  starts_at: string;
  ends_at: string;
  /** The mentor's IANA zone. */
  timezone: string;
  topic: string;
  status: BookingStatus;
  payment_status: PaymentStatus;
  price_minor: number;
  currency: string;
}

export interface BookingCancelled extends BookingFact {
  cancelled_by: Party;
  reason: string | null;
  /** What of the paid price is refunded. */
  refund_minor: number;
}

export interface BookingNoShow extends BookingFact {
  /** Who missed the session; the other one has reported it. Absent in events of versions in which it was the mentee. */
  absent_party?: Party;
  /** What of the paid price is refunded. Absent in events of versions that refunded nothing. */
  refund_minor?: number;
}

export const bookingRequested = event<BookingFact & { amount_due: BookingAmountDue | null }>(
  'mentorship.booking.requested',
);
/** The booking is paid; its mentor can confirm it. */
export const bookingPaid = event<BookingFact>('mentorship.booking.paid');
export const bookingConfirmed = event<BookingFact>('mentorship.booking.confirmed');
export const bookingCancelled = event<BookingCancelled>('mentorship.booking.cancelled');
export const bookingExpired = event<BookingFact & { refund_minor: number }>(
  'mentorship.booking.expired',
);
export const bookingCompleted = event<BookingFact>('mentorship.booking.completed');
export const bookingNoShow = event<BookingNoShow>('mentorship.booking.no_show');
export const bookingMeetingLinkAdded = event<BookingFact>('mentorship.booking.meeting_link_added');

export interface ReviewCreated {
  review_id: number;
  booking_id: number;
  mentor_id: number;
  mentor_user_id: number;
  author_user_id: number;
  author_name: string;
  rating: number;
}

export const reviewCreated = event<ReviewCreated>('mentorship.review.created');
