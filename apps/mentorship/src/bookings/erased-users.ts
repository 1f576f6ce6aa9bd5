import type { Party } from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { BookingChanges } from './booking-changes.js';
import type { BookingRecord } from './booking.record.js';

/** Rows per statement, so that locks are short. */
const batch = 200;
/** As long as a booking of an erased user may still be on its way here: its tokens stop working within seconds. */
const graceMs = 10 * 60_000;

/** Bookings of users whose erasure is not settled, in whatever role. */
const theirs = (condition: string): string => `
  SELECT booking.id FROM erased_users JOIN bookings AS booking ON booking.mentee_user_id = user_id
  WHERE settled_at IS NULL AND ${condition}
  UNION ALL
  SELECT booking.id FROM erased_users JOIN mentors USING (user_id) JOIN bookings AS booking ON booking.mentor_id = mentors.id
  WHERE settled_at IS NULL AND ${condition}`;

/** A session lasts at most eight hours; the start bounds the part of the index that is read. */
export const dueForErasure = `b.status IN ('pending', 'confirmed') AND b.ends_at > $1
  AND b.id IN (${theirs(`booking.starts_at > $1::timestamptz - interval '8 hours'`)})`;

/** Cancels bookings of erased users, as these would have: the refund follows from who cancels and when. */
export async function cancelForErased(
  changes: BookingChanges,
  tx: EntityManager,
  bookings: readonly BookingRecord[],
): Promise<void> {
  if (bookings.length === 0) return;
  const rows = await tx.query<{ user_id: number }[]>(
    'SELECT user_id FROM erased_users WHERE user_id = ANY ($1)',
    [bookings.flatMap(({ mentorUserId, menteeUserId }) => [mentorUserId, menteeUserId])],
  );
  const erased = new Set(rows.map(({ user_id }) => user_id));
  for (const booking of bookings) {
    const by: Party = erased.has(booking.mentorUserId) ? 'mentor' : 'mentee';
    await changes.cancel(tx, booking, by, null);
  }
}

/**
 * Finishes erasures once the bookings to come are cancelled: takes out what the user wrote in those that have ended, and
 * waits for those that have begun. Any number of replicas may do so.
 */
@Injectable()
export class ErasedUsers {
  constructor(
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  /** One round. */
  async sweep(stopping: AbortSignal): Promise<void> {
    while (!stopping.aborted && (await this.forgetTexts()) === batch);
    await this.settle();
  }

  /** Resolves to how many bookings were changed. */
  private forgetTexts(): Promise<number> {
    return this.transactions.run(async (tx) => {
      const [, changed] = await tx.query<[unknown[], number]>(
        `UPDATE bookings AS b SET
           topic = CASE WHEN who.is_mentee THEN '' ELSE topic END,
           notes = CASE WHEN who.is_mentee THEN NULL ELSE notes END,
           mentee_feedback = CASE WHEN who.is_mentee THEN NULL ELSE mentee_feedback END,
           mentor_feedback = CASE WHEN who.is_mentor THEN NULL ELSE mentor_feedback END,
           meeting_url = CASE WHEN who.is_mentor THEN NULL ELSE meeting_url END,
           meeting_platform = CASE WHEN who.is_mentor THEN NULL ELSE meeting_platform END,
           cancellation_reason = CASE
             WHEN who.is_mentee AND status = 'cancelled_by_mentee' OR who.is_mentor AND status = 'cancelled_by_mentor'
             THEN NULL ELSE cancellation_reason END
         FROM (
           SELECT ended.id, mentee.user_id IS NOT NULL AS is_mentee, mentor.user_id IS NOT NULL AS is_mentor
           FROM bookings AS ended
           JOIN mentors ON mentors.id = ended.mentor_id
           LEFT JOIN erased_users AS mentee ON mentee.user_id = ended.mentee_user_id
           LEFT JOIN erased_users AS mentor ON mentor.user_id = mentors.user_id
           WHERE ended.status NOT IN ('pending', 'confirmed') AND ended.id IN (${theirs('true')})
             AND (
               mentee.user_id IS NOT NULL AND (
                 ended.topic <> '' OR ended.notes IS NOT NULL OR ended.mentee_feedback IS NOT NULL
                 OR ended.cancellation_reason IS NOT NULL AND ended.status = 'cancelled_by_mentee')
               OR mentor.user_id IS NOT NULL AND (
                 ended.mentor_feedback IS NOT NULL OR ended.meeting_url IS NOT NULL
                 OR ended.cancellation_reason IS NOT NULL AND ended.status = 'cancelled_by_mentor'))
           ORDER BY ended.id LIMIT ${batch} FOR UPDATE OF ended SKIP LOCKED
         ) AS who
         WHERE b.id = who.id`,
      );
      return changed;
    });
  }

  private async settle(): Promise<void> {
    const now = this.clock.now();
    await this.transactions.run((tx) =>
      tx.query(
        `UPDATE erased_users SET settled_at = $1
         WHERE settled_at IS NULL AND erased_at <= $2 AND NOT EXISTS (
           SELECT FROM bookings WHERE mentee_user_id = erased_users.user_id AND status IN ('pending', 'confirmed')
         ) AND NOT EXISTS (
           SELECT FROM bookings JOIN mentors ON mentors.id = mentor_id
           WHERE mentors.user_id = erased_users.user_id AND bookings.status IN ('pending', 'confirmed')
         )`,
        [now, new Date(now.getTime() - graceMs)],
      ),
    );
  }
}
