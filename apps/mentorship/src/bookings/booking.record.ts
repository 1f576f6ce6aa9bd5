import {
  type BookingAmountDue,
  type BookingFact,
  type Caller,
  type Party,
  timeZoneOf,
} from '@mentorhub/contracts';
import { rfc3339 } from '../instants.js';
import type { Booking } from './booking.entity.js';

/** A booking with what its views and events say of the two people. */
export interface BookingRecord extends Omit<Booking, 'blockedFrom' | 'blockedUntil'> {
  mentorUserId: number;
  /** The mentor's IANA zone. */
  timezone: string;
  mentorName: string;
  mentorAvatar: string | null;
  menteeName: string;
  menteeAvatar: string | null;
}

/** Which side of the booking a user is on; undefined for strangers. */
export function partyOf(booking: BookingRecord, { user_id }: Caller): Party | undefined {
  if (user_id === booking.mentorUserId) return 'mentor';
  return user_id === booking.menteeUserId ? 'mentee' : undefined;
}

/** Whether it can be paid now. */
export function isDue(booking: BookingRecord, now: Date): boolean {
  return (
    booking.status === 'pending' &&
    booking.paymentStatus === 'unpaid' &&
    booking.holdExpiresAt !== null &&
    booking.holdExpiresAt > now
  );
}

/** Whether it still waits for a payment although its hold is over. */
export function isOverdueHold(booking: BookingRecord, now: Date): boolean {
  return (
    booking.status === 'pending' &&
    booking.paymentStatus === 'unpaid' &&
    booking.holdExpiresAt !== null &&
    booking.holdExpiresAt <= now
  );
}

/** What was paid and is not refunded, in minor units. */
export function paidMinor(booking: BookingRecord): number {
  const paid = booking.paymentStatus === 'paid' || booking.paymentStatus === 'partially_refunded';
  return paid ? booking.priceMinor - booking.refundedMinor : 0;
}

/** The booking as events carry it. */
export function bookingFact(booking: BookingRecord): BookingFact {
  return {
    booking_id: booking.id,
    mentor_id: booking.mentorId,
    mentor_user_id: booking.mentorUserId,
    mentor_name: booking.mentorName,
    mentee_user_id: booking.menteeUserId,
    mentee_name: booking.menteeName,
    starts_at: rfc3339(booking.startsAt),
    ends_at: rfc3339(booking.endsAt),
    timezone: timeZoneOf(booking.timezone),
    topic: booking.topic,
    status: booking.status,
    payment_status: booking.paymentStatus,
    price_minor: booking.priceMinor,
    currency: booking.currency,
  };
}

/** What is due for the booking, for payments; null when the session is free. */
export function amountDueOf(booking: BookingRecord, now: Date): BookingAmountDue | null {
  if (booking.checkoutId === null) return null;
  return {
    booking_id: booking.id,
    checkout_id: booking.checkoutId,
    mentor_user_id: booking.mentorUserId,
    mentee_user_id: booking.menteeUserId,
    topic: booking.topic,
    amount_minor: booking.priceMinor,
    currency: booking.currency,
    due: isDue(booking, now),
    expires_at: rfc3339(booking.holdExpiresAt ?? booking.startsAt),
  };
}
