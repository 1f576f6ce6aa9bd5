import { timeZoneOf } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Interval } from './domain/interval.js';
import type { Schedule } from './domain/slots.js';

/** Everything that decides when a mentor can be booked, as it stood in one moment. */
export interface MentorSchedule extends Schedule {
  readonly mentorId: number;
  readonly mentorUserId: number;
  readonly status: string;
  readonly pricePerHourMinor: number;
  readonly currency: string;
  /** Lengths on offer, in minutes; the first is the usual one. */
  readonly durations: readonly number[];
  /** Of the mentor's availability; rises with every change. */
  readonly revision: number;
  /** The first instant at which an unpaid booking gives its time back, Unix milliseconds. */
  readonly nextHoldEnd: number | undefined;
}

interface MentorRow {
  id: number;
  user_id: number;
  status: string;
  price_per_hour_minor: number;
  currency: string;
  timezone: string;
  session_durations: number[];
  slot_interval_minutes: number;
  buffer_before_minutes: number;
  buffer_after_minutes: number;
  minimum_notice_minutes: number;
  booking_window_days: number;
  availability_revision: number;
  hours: {
    day_of_week: number | null;
    date: string | null;
    start_minute: number;
    end_minute: number;
    active: boolean;
  }[];
}

interface BusyRow {
  user_id: number;
  starts_at: Date;
  ends_at: Date;
  hold_end: Date | null;
}

/** The bookings that a schedule considers. */
interface BusySpan {
  from: Date;
  to: Date;
  /** Unpaid bookings whose hold is over at this instant count as free; without it, none does. */
  holdsOverAt: Date | undefined;
}

/**
 * When the users of `$1` sit in a session within `[$2, $3)`, as mentors with their buffers. Unpaid bookings whose hold is
 * over at `$4` do not count.
 */
const busySql = `
  SELECT p.user_id, lower(p.during) AS starts_at, upper(p.during) AS ends_at,
    CASE WHEN b.status = 'pending' AND b.payment_status = 'unpaid' THEN b.hold_expires_at END AS hold_end
  FROM unnest($1::integer[]) AS users (user_id)
  JOIN booking_participants p ON p.user_id = users.user_id AND p.during && tstzrange($2, $3)
  JOIN bookings b ON b.id = p.booking_id
  WHERE NOT coalesce(
    b.status = 'pending' AND b.payment_status = 'unpaid' AND b.hold_expires_at <= $4, false)`;

@Injectable()
export class SchedulesRepository {
  /**
   * The schedules of mentors, by mentor id, with the bookings that touch `[from, to)`. Two queries, however many
   * mentors. Unknown ids are left out.
   */
  async load(
    tx: EntityManager,
    mentorIds: readonly number[],
    span: BusySpan,
  ): Promise<Map<number, MentorSchedule>> {
    return (await this.read(tx, mentorIds, [], span)).schedules;
  }

  /** The schedule of a mentor for a user, whose own sessions are in `alsoBusy`; undefined for an unknown mentor. */
  async loadFor(
    tx: EntityManager,
    mentorId: number,
    userId: number,
    span: BusySpan,
  ): Promise<MentorSchedule | undefined> {
    const { schedules, busyOf } = await this.read(tx, [mentorId], [userId], span);
    const schedule = schedules.get(mentorId);
    return schedule && { ...schedule, alsoBusy: (busyOf.get(userId) ?? []).map(interval) };
  }

  private async read(
    tx: EntityManager,
    mentorIds: readonly number[],
    userIds: readonly number[],
    { from, to, holdsOverAt }: BusySpan,
  ): Promise<{ schedules: Map<number, MentorSchedule>; busyOf: Map<number, BusyRow[]> }> {
    // The revision is read before the bookings, so that one that comes in between makes it outdated.
    const mentors = await tx.query<MentorRow[]>(
      `SELECT m.id, m.user_id, m.status, m.price_per_hour_minor, m.currency, m.timezone, m.session_durations,
         m.slot_interval_minutes, m.buffer_before_minutes, m.buffer_after_minutes, m.minimum_notice_minutes,
         m.booking_window_days, s.availability_revision,
         coalesce((
           SELECT json_agg(json_build_object('day_of_week', r.day_of_week, 'date', r.date,
             'start_minute', r.start_minute, 'end_minute', r.end_minute, 'active', r.active))
           FROM availability_rules r WHERE r.mentor_id = m.id), '[]') AS hours
       FROM mentors m JOIN mentor_stats s ON s.mentor_id = m.id WHERE m.id = ANY ($1::integer[])`,
      [mentorIds],
    );
    const busy = await tx.query<BusyRow[]>(busySql, [
      [...new Set([...mentors.map(({ user_id }) => user_id), ...userIds])],
      from,
      to,
      holdsOverAt,
    ]);
    const busyOf = Map.groupBy(busy, (row) => row.user_id);
    const schedules = new Map(
      mentors.map((mentor): [number, MentorSchedule] => {
        const bookings = busyOf.get(mentor.user_id) ?? [];
        const holdEnds = bookings.flatMap(({ hold_end }) => hold_end?.getTime() ?? []);
        return [
          mentor.id,
          {
            mentorId: mentor.id,
            mentorUserId: mentor.user_id,
            status: mentor.status,
            pricePerHourMinor: mentor.price_per_hour_minor,
            currency: mentor.currency,
            durations: mentor.session_durations,
            revision: mentor.availability_revision,
            nextHoldEnd: holdEnds.length > 0 ? Math.min(...holdEnds) : undefined,
            rules: {
              timeZone: timeZoneOf(mentor.timezone),
              slotIntervalMinutes: mentor.slot_interval_minutes,
              bufferBeforeMinutes: mentor.buffer_before_minutes,
              bufferAfterMinutes: mentor.buffer_after_minutes,
              minimumNoticeMinutes: mentor.minimum_notice_minutes,
              bookingWindowDays: mentor.booking_window_days,
            },
            hours: mentor.hours.map((entry) => ({
              dayOfWeek: entry.day_of_week,
              date: entry.date,
              startMinute: entry.start_minute,
              endMinute: entry.end_minute,
              active: entry.active,
            })),
            busy: bookings.map(interval),
          },
        ];
      }),
    );
    return { schedules, busyOf };
  }

  /**
   * Marks the availability of mentors as changed. Call it last in a transaction: it locks the mentors, in the order of
   * their ids, so that two transactions never wait for each other.
   */
  async changed(tx: EntityManager, mentorIds: readonly number[]): Promise<void> {
    await this.touch(tx, 'm.id = ANY ($1::integer[])', [mentorIds]);
  }

  /** The same for all mentors who take part in bookings, as mentors or as mentees. */
  async changedByBookings(
    tx: EntityManager,
    bookings: readonly { mentorUserId: number; menteeUserId: number }[],
  ): Promise<void> {
    await this.touch(tx, 'm.user_id = ANY ($1::integer[])', [
      bookings.flatMap(({ mentorUserId, menteeUserId }) => [mentorUserId, menteeUserId]),
    ]);
  }

  private async touch(tx: EntityManager, condition: string, values: unknown[]): Promise<void> {
    await tx.query(
      `UPDATE mentor_stats SET availability_revision = availability_revision + 1, next_available_until = NULL
       WHERE mentor_id IN (
         SELECT s.mentor_id FROM mentor_stats s JOIN mentors m ON m.id = s.mentor_id
         WHERE ${condition} ORDER BY s.mentor_id FOR NO KEY UPDATE OF s)`,
      values,
    );
  }
}

function interval({ starts_at, ends_at }: BusyRow): Interval {
  return { start: starts_at.getTime(), end: ends_at.getTime() };
}
