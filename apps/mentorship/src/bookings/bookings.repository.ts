import type { BookingStatus, Party } from '@mentorhub/contracts';
import { People } from '@mentorhub/people';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Booking } from './booking.entity.js';
import type { BookingRecord } from './booking.record.js';

/** A record whose people may not be known here yet. */
type Nameable = Omit<BookingRecord, 'mentorName' | 'menteeName'> & {
  mentorName: string | null;
  menteeName: string | null;
};

export type NewBooking = Pick<
  Booking,
  | 'mentorId'
  | 'menteeUserId'
  | 'startsAt'
  | 'endsAt'
  | 'blockedFrom'
  | 'blockedUntil'
  | 'paymentStatus'
  | 'priceMinor'
  | 'currency'
  | 'topic'
  | 'notes'
  | 'checkoutId'
  | 'holdExpiresAt'
  | 'createdAt'
>;

export interface BookingSearch {
  userId: number;
  /** Default: both sides. */
  party?: Party;
  statuses?: BookingStatus[];
  /** Starts at this instant or later. */
  from?: Date;
  /** Starts before this instant. */
  to?: Date;
  /** Ends after this instant. */
  endsAfter?: Date;
  /** Nearest first instead of newest first. */
  ascending?: boolean;
  limit: number;
  offset: number;
}

const select = `
  SELECT b.id, b.mentor_id AS "mentorId", b.mentee_user_id AS "menteeUserId", b.starts_at AS "startsAt",
    b.ends_at AS "endsAt", b.status, b.payment_status AS "paymentStatus", b.price_minor AS "priceMinor", b.currency,
    b.topic, b.notes, b.checkout_id AS "checkoutId", b.payment_id AS "paymentId", b.refunded_minor AS "refundedMinor",
    b.hold_expires_at AS "holdExpiresAt", b.meeting_url AS "meetingUrl", b.meeting_platform AS "meetingPlatform",
    b.rating, b.mentee_feedback AS "menteeFeedback", b.mentor_feedback AS "mentorFeedback",
    b.cancellation_reason AS "cancellationReason", b.completed_at AS "completedAt", b.version,
    b.created_at AS "createdAt", m.user_id AS "mentorUserId", m.timezone,
    mp.full_name AS "mentorName", mp.avatar_url AS "mentorAvatar",
    sp.full_name AS "menteeName", sp.avatar_url AS "menteeAvatar"
  FROM bookings b
  JOIN mentors m ON m.id = b.mentor_id
  LEFT JOIN people mp ON mp.user_id = m.user_id
  LEFT JOIN people sp ON sp.user_id = b.mentee_user_id`;

@Injectable()
export class BookingsRepository {
  constructor(private readonly people: People) {}

  async find(tx: EntityManager, id: number): Promise<BookingRecord | undefined> {
    const [booking] = await this.query(tx, 'WHERE b.id = $1', [id]);
    return booking;
  }

  async findByCheckout(tx: EntityManager, checkoutId: string): Promise<BookingRecord | undefined> {
    const [booking] = await this.query(tx, 'WHERE b.checkout_id = $1', [checkoutId]);
    return booking;
  }

  /** The booking, locked until the end of the transaction. */
  async lock(tx: EntityManager, id: number): Promise<BookingRecord | undefined> {
    const [booking] = await this.query(tx, 'WHERE b.id = $1 FOR UPDATE OF b', [id]);
    return booking;
  }

  /**
   * Locks up to `limit` bookings for which `condition` holds at `$1` and that nobody else works on, so that replicas
   * share the work.
   */
  claim(
    tx: EntityManager,
    condition: string,
    instant: Date,
    limit: number,
  ): Promise<BookingRecord[]> {
    return this.query(
      tx,
      `WHERE ${condition} ORDER BY b.id LIMIT ${limit} FOR UPDATE OF b SKIP LOCKED`,
      [instant],
    );
  }

  /** Locks, in the order of their ids, the overdue unpaid bookings that stand in the way of a new one. */
  overdueHolds(
    tx: EntityManager,
    { mentorId, menteeUserId, startsAt, endsAt, blockedFrom, blockedUntil }: NewBooking,
    now: Date,
  ): Promise<BookingRecord[]> {
    return this.query(
      tx,
      `WHERE b.status = 'pending' AND b.payment_status = 'unpaid' AND b.hold_expires_at <= $1
         AND ((b.mentor_id = $2 AND b.blocked && tstzrange($3, $4))
           OR (b.mentee_user_id = $5 AND b.during && tstzrange($6, $7)))
       ORDER BY b.id FOR UPDATE OF b`,
      [now, mentorId, blockedFrom, blockedUntil, menteeUserId, startsAt, endsAt],
    );
  }

  /**
   * Stores a new booking; undefined when a live one overlaps it. `ON CONFLICT DO NOTHING`, because plain inserts that
   * race for a slot under an exclusion constraint deadlock.
   */
  async insert(tx: EntityManager, booking: NewBooking): Promise<number | undefined> {
    const { raw } = await tx
      .createQueryBuilder()
      .insert()
      .into(Booking)
      .values({ ...booking, status: 'pending' })
      .orIgnore()
      .returning('id')
      .execute();
    return (raw as { id: number }[])[0]?.id;
  }

  /** Writes changes to a locked booking, in the database and in the record, and raises its version. */
  async update(
    tx: EntityManager,
    booking: BookingRecord,
    changes: Partial<Booking>,
  ): Promise<void> {
    const all = { ...changes, version: booking.version + 1 };
    await tx.update(Booking, booking.id, all);
    Object.assign(booking, all);
  }

  /** When a user's newest bookings since an instant were made, newest first. */
  async madeSince(tx: EntityManager, userId: number, since: Date, limit: number): Promise<Date[]> {
    const rows = await tx.query<{ created_at: Date }[]>(
      `SELECT created_at FROM bookings WHERE mentee_user_id = $1 AND created_at > $2
       ORDER BY created_at DESC LIMIT $3`,
      [userId, since, limit],
    );
    return rows.map(({ created_at }) => created_at);
  }

  async search(
    tx: EntityManager,
    search: BookingSearch,
  ): Promise<{ bookings: BookingRecord[]; total: number }> {
    const values: unknown[] = [];
    const value = (given: unknown): string => `$${values.push(given)}`;
    const user = value(search.userId);
    const asMentor = `b.mentor_id IN (SELECT id FROM mentors WHERE user_id = ${user})`;
    const asMentee = `b.mentee_user_id = ${user}`;
    const sides = { mentor: asMentor, mentee: asMentee, both: `(${asMentor} OR ${asMentee})` };
    const conditions = [sides[search.party ?? 'both']];
    if (search.statuses) conditions.push(`b.status = ANY (${value(search.statuses)})`);
    if (search.from) conditions.push(`b.starts_at >= ${value(search.from)}`);
    if (search.to) conditions.push(`b.starts_at < ${value(search.to)}`);
    if (search.endsAfter) conditions.push(`b.ends_at > ${value(search.endsAfter)}`);
    const where = `WHERE ${conditions.join(' AND ')}`;
    const direction = search.ascending ? 'ASC' : 'DESC';
    const [count] = await tx.query<{ total: number }[]>(
      `SELECT count(*) AS total FROM bookings b ${where}`,
      values,
    );
    const bookings = await this.query(
      tx,
      `${where} ORDER BY b.starts_at ${direction}, b.id ${direction}
       LIMIT ${value(search.limit)} OFFSET ${value(search.offset)}`,
      values,
    );
    return { bookings, total: count?.total ?? 0 };
  }

  private async query(
    tx: EntityManager,
    rest: string,
    values: unknown[],
  ): Promise<BookingRecord[]> {
    const bookings = await tx.query<Nameable[]>(`${select} ${rest}`, values);
    return this.nameMissing(tx, bookings);
  }

  /** Fills in the names of people whose event has not arrived yet. */
  private async nameMissing(tx: EntityManager, bookings: Nameable[]): Promise<BookingRecord[]> {
    const nameless = bookings.flatMap((booking) => [
      ...(booking.mentorName === null ? [booking.mentorUserId] : []),
      ...(booking.menteeName === null ? [booking.menteeUserId] : []),
    ]);
    const people = await this.people.ensure(nameless);
    return bookings.map((booking) => {
      const mentor = people.get(booking.mentorUserId);
      const mentee = people.get(booking.menteeUserId);
      return {
        ...booking,
        mentorName: booking.mentorName ?? mentor?.full_name ?? '',
        mentorAvatar: booking.mentorAvatar ?? mentor?.avatar_url ?? null,
        menteeName: booking.menteeName ?? mentee?.full_name ?? '',
        menteeAvatar: booking.menteeAvatar ?? mentee?.avatar_url ?? null,
      };
    });
  }
}
