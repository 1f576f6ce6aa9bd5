import {
  type BookingView,
  type Locale,
  type SessionStatus,
  type SessionView,
  shownName,
  toMajor,
} from '@mentorhub/contracts';
import { rfc3339 } from '../instants.js';
import { type BookingRecord, isDue } from './booking.record.js';

/** For whom, when and where a booking is shown. */
export interface Viewing {
  viewerId: number;
  now: Date;
  /** Where users reach MentorHub, without a slash at the end. */
  publicUrl: string;
  locale?: Locale;
}

/** Turns a booking into one of its public shapes. */
export type Present<View> = (booking: BookingRecord, viewing: Viewing) => View;

/** The statuses behind each status of the `/sessions` view. */
export const sessionStatusOf = {
  pending: 'scheduled',
  confirmed: 'scheduled',
  completed: 'completed',
  cancelled_by_mentor: 'cancelled',
  cancelled_by_mentee: 'cancelled',
  expired: 'expired',
  no_show: 'no_show',
} as const satisfies Record<BookingRecord['status'], SessionStatus>;

export const sessionView: Present<SessionView> = (booking, viewing) => ({
  id: booking.id,
  mentor: {
    id: booking.mentorId,
    user_id: booking.mentorUserId,
    full_name: shownName(booking.mentorName, viewing.locale),
    avatar_url: booking.mentorAvatar,
  },
  student: {
    id: booking.menteeUserId,
    full_name: shownName(booking.menteeName, viewing.locale),
    avatar_url: booking.menteeAvatar,
  },
  scheduled_at: rfc3339(booking.startsAt),
  duration_minutes: durationOf(booking),
  topic: booking.topic,
  notes: booking.notes,
  status: sessionStatusOf[booking.status],
  booking_status: booking.status,
  price: toMajor(booking.priceMinor, booking.currency),
  currency: booking.currency,
  payment_status: booking.paymentStatus,
  payment_url: paymentUrl(booking, viewing),
  join_url: booking.status === 'confirmed' ? booking.meetingUrl : null,
  meeting_url: booking.meetingUrl,
  meeting_platform: booking.meetingPlatform,
  rating: booking.rating,
  absent_party: booking.absentParty,
  completed_at: booking.completedAt && rfc3339(booking.completedAt),
  version: booking.version,
});

export const bookingView: Present<BookingView> = (booking, viewing) => ({
  id: booking.id,
  mentor_id: booking.mentorId,
  mentor_user_id: booking.mentorUserId,
  mentor_name: shownName(booking.mentorName, viewing.locale),
  mentee_id: booking.menteeUserId,
  mentee_name: shownName(booking.menteeName, viewing.locale),
  session_date: rfc3339(booking.startsAt),
  ends_at: rfc3339(booking.endsAt),
  duration_minutes: durationOf(booking),
  topic: booking.topic,
  description: booking.notes,
  status: booking.status,
  payment_status: booking.paymentStatus,
  price: toMajor(booking.priceMinor, booking.currency),
  currency: booking.currency,
  payment_url: paymentUrl(booking, viewing),
  meeting_url: booking.meetingUrl,
  meeting_platform: booking.meetingPlatform,
  rating: booking.rating,
  feedback: feedbackFor(booking, viewing),
  cancellation_reason: booking.cancellationReason,
  absent_party: booking.absentParty,
  booking_version: booking.version,
  created_at: rfc3339(booking.createdAt),
});

function durationOf({ startsAt, endsAt }: BookingRecord): number {
  return (endsAt.getTime() - startsAt.getTime()) / 60_000;
}

/** Anyone with this address may pay, so only the mentee gets it. */
function paymentUrl(booking: BookingRecord, { viewerId, now, publicUrl }: Viewing): string | null {
  const amountDue = viewerId === booking.menteeUserId && isDue(booking, now);
  return amountDue ? `${publicUrl}/checkout/${booking.checkoutId}` : null;
}

/** What the other side wrote; one's own words as long as it is silent. */
function feedbackFor(booking: BookingRecord, { viewerId }: Viewing): string | null {
  const { menteeFeedback, mentorFeedback, mentorUserId } = booking;
  return viewerId === mentorUserId
    ? (menteeFeedback ?? mentorFeedback)
    : (mentorFeedback ?? menteeFeedback);
}
