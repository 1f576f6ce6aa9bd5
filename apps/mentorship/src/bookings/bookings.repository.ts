import type { BookingStatus, Party } from '@mentorhub/contracts';
import { People, type UserSummary } from '@mentorhub/people';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Booking } from './booking.entity.js';
import type { BookingRecord } from './booking.record.js';

/** A booking as it is stored: the rows of its people may be missing. */
type BookingRow = Omit<BookingRecord, 'mentorName' | 'menteeName'> & {
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
    b.cancellation_reason AS "cancellationReason", b.absent_party AS "absentParty", b.completed_at AS "completedAt", b.version,
    b.created_at AS "createdAt", m.user_id AS "mentorUserId", m.timezone,
    mp.full_name AS "mentorName", mp.avatar_url AS "mentorAvatar",
    sp.full_name AS "menteeName", sp.avatar_url AS "menteeAvatar"
  FROM bookings b
  JOIN mentors m ON m.id = b.mentor_id
  LEFT JOIN people mp ON mp.user_id = m.user_id
  LEFT JOIN people sp ON sp.user_id = b.mentee_user_id`;

/** The constraint that keeps a person from sitting in two sessions at once. */
export const participantsOverlap = 'booking_participants_overlap';

/** Unpaid bookings whose hold is over at `now`. */
const overdueHold = (now: string): string =>
  `b.status = 'pending' AND b.payment_status = 'unpaid' AND b.hold_expires_at <= ${now}`;

/** Sessions last at most eight hours. */
const longestSession = `interval '8 hours'`;

interface Query {
  readonly text: string;
  readonly values: unknown[];
}

/**
 * How many bookings fit, and one page of them. Each role is an arm of its own, which walks its index: PostgreSQL reads the
 * whole table for an OR of the two.
 */
export function bookingSearchQueries(search: BookingSearch): { count: Query; page: Query } {
  const values: unknown[] = [];
  const value = (given: unknown): string => `$${values.push(given)}`;
  const user = value(search.userId);
  const sides = {
    mentor: `b.mentor_id = (SELECT id FROM mentors WHERE user_id = ${user})`,
    mentee: `b.mentee_user_id = ${user}`,
  };
  const arms = search.party ? [sides[search.party]] : Object.values(sides);
  const conditions: string[] = [];
  if (search.statuses) conditions.push(`b.status = ANY (${value(search.statuses)})`);
  if (search.from) conditions.push(`b.starts_at >= ${value(search.from)}`);
  if (search.to) conditions.push(`b.starts_at < ${value(search.to)}`);
  if (search.endsAfter) {
    const instant = value(search.endsAfter);
    // The start bounds the part of the index that is read.
    conditions.push(
      `b.ends_at > ${instant}`,
      `b.starts_at > ${instant}::timestamptz - ${longestSession}`,
    );
  }
  const from = (arm: string): string =>
    `FROM bookings b WHERE ${[arm, ...conditions].join(' AND ')}`;
  const counted = arms.map((arm) => `(SELECT count(*) ${from(arm)})`);
  const count = { text: `SELECT ${counted.join(' + ')} AS total`, values: [...values] };

  const direction = search.ascending ? 'ASC' : 'DESC';
  const [limit, offset] = [value(search.limit), value(search.offset)];
  const firsts = arms.map(
    (arm) =>
      `(SELECT b.id, b.starts_at ${from(arm)} ORDER BY b.starts_at ${direction}, b.id ${direction}
        LIMIT ${limit}::bigint + ${offset}::bigint)`,
  );
  const text = `${select}
    WHERE b.id IN (
      SELECT id FROM (${firsts.join(' UNION ALL ')}) AS firsts
      ORDER BY starts_at ${direction}, id ${direction} LIMIT ${limit} OFFSET ${offset})
    ORDER BY b.starts_at ${direction}, b.id ${direction}`;
  return { count, page: { text, values } };
}

@Injectable()
export class BookingsRepository {
  constructor(
    private readonly dataSource: DataSource,
    private readonly people: People,
  ) {}

  /** Requests missing names from identity, so never call it inside a transaction. */
  async find(id: number): Promise<BookingRecord | undefined> {
    const [booking] = await this.named(
      await this.rows(this.dataSource.manager, 'WHERE b.id = $1', [id]),
    );
    return booking;
  }

  /** With the names that are stored here, without a request to identity. */
  async stored(
    by: { booking_id: number } | { checkout_id: string },
  ): Promise<BookingRecord | undefined> {
    const [condition, value] =
      'booking_id' in by ? ['b.id', by.booking_id] : ['b.checkout_id', by.checkout_id];
    const [booking] = await this.query(this.dataSource.manager, `WHERE ${condition} = $1`, [value]);
    return booking;
  }

  /** A booking that the transaction has written, with the names that are known here. */
  async written(tx: EntityManager, id: number): Promise<BookingRecord> {
    const [booking] = await this.query(tx, 'WHERE b.id = $1', [id]);
    if (!booking) throw new Error(`Booking ${id} is missing in the transaction that wrote it.`);
    return booking;
  }

  /** Whether both names are stored here and the user is known to be verified, so that no request is needed. */
  async peopleAreReady(mentorId: number, userId: number): Promise<boolean> {
    const [row] = await this.dataSource.query<{ ready: boolean }[]>(
      `SELECT EXISTS (SELECT FROM people WHERE user_id = $2 AND email_verified)
         AND EXISTS (SELECT FROM mentors JOIN people USING (user_id) WHERE mentors.id = $1) AS ready`,
      [mentorId, userId],
    );
    return row?.ready === true;
  }

  /**
   * Makes sure that the names of a mentor and a user are stored, so that no transaction needs a request to identity.
   *
   * @throws ApplicationError `SERVICE_UNAVAILABLE` or `DEADLINE_EXCEEDED` when identity is needed and does not answer
   */
  async resolvePeople(mentorId: number, userId: number): Promise<void> {
    await this.ensureAll(`SELECT user_id FROM mentors WHERE id = $1 UNION SELECT $2::integer`, [
      mentorId,
      userId,
    ]);
  }

  /** The same for the two people of a booking. */
  async resolvePeopleOf(bookingId: number): Promise<void> {
    await this.ensureAll(partiesWhere('b.id = $1'), [bookingId]);
  }

  /** The same for the bookings for which `condition` holds at `$1`; at most 200 people. */
  async resolvePeopleWhere(condition: string, instant: Date): Promise<void> {
    await this.ensureAll(`${partiesWhere(condition)} LIMIT 200`, [instant]);
  }

  /** The booking, locked until the end of the transaction. */
  async lock(tx: EntityManager, id: number): Promise<BookingRecord | undefined> {
    const [booking] = await this.query(tx, 'WHERE b.id = $1 FOR UPDATE OF b', [id]);
    return booking;
  }

  /**
   * Locks up to `limit` bookings for which `condition` holds at `$1` and that nobody else works on, so that replicas
   * share the work. With `named`, only those whose people have names here.
   */
  claim(
    tx: EntityManager,
    {
      condition,
      instant,
      limit,
      named,
    }: { condition: string; instant: Date; limit: number; named: boolean },
  ): Promise<BookingRecord[]> {
    return this.query(
      tx,
      `WHERE ${condition} ${named ? 'AND mp.user_id IS NOT NULL AND sp.user_id IS NOT NULL' : ''}
       ORDER BY b.id LIMIT ${limit} FOR UPDATE OF b SKIP LOCKED`,
      [instant],
    );
  }

  /** Unpaid bookings whose hold is over, by id, after one of them. */
  overdueHolds(now: Date, after: number, limit: number): Promise<BookingRecord[]> {
    return this.query(
      this.dataSource.manager,
      `WHERE ${overdueHold('$1')} AND b.id > $2 ORDER BY b.id LIMIT $3`,
      [now, after, limit],
    );
  }

  /** The overdue unpaid bookings that stand in the way of a new one. */
  overdueHoldsInTheWay(
    tx: EntityManager,
    { mentorId, menteeUserId, startsAt, endsAt, blockedFrom, blockedUntil }: NewBooking,
    now: Date,
  ): Promise<BookingRecord[]> {
    return this.query(
      tx,
      `WHERE ${overdueHold('$1')} AND b.id IN (
         SELECT booking_id FROM booking_participants
         WHERE user_id = (SELECT user_id FROM mentors WHERE id = $2) AND during && tstzrange($3, $4)
         UNION ALL
         SELECT booking_id FROM booking_participants
         WHERE user_id = $5 AND during && tstzrange($6, $7))
       ORDER BY b.id`,
      [now, mentorId, blockedFrom, blockedUntil, menteeUserId, startsAt, endsAt],
    );
  }

  /**
   * Stores a new booking.
   *
   * @throws an exclusion violation of `participantsOverlap` when one of the two sits in another session at that time
   */
  async insert(tx: EntityManager, booking: NewBooking): Promise<number> {
    const { identifiers } = await tx.insert(Booking, { ...booking, status: 'pending' });
    return (identifiers[0] as { id: number }).id;
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

  /** Requests missing names from identity, so never call it inside a transaction. */
  async search(search: BookingSearch): Promise<{ bookings: BookingRecord[]; total: number }> {
    const { manager } = this.dataSource;
    const { count, page } = bookingSearchQueries(search);
    const [counted] = await manager.query<{ total: number }[]>(count.text, count.values);
    const rows = await manager.query<BookingRow[]>(page.text, page.values);
    return { bookings: await this.named(rows), total: counted?.total ?? 0 };
  }

  private async query(
    tx: EntityManager,
    rest: string,
    values: unknown[],
  ): Promise<BookingRecord[]> {
    const rows = await this.rows(tx, rest, values);
    return rows.map((row) => record(row));
  }

  private rows(tx: EntityManager, rest: string, values: unknown[]): Promise<BookingRow[]> {
    return tx.query<BookingRow[]>(`${select} ${rest}`, values);
  }

  /** Requests the people among those that `users` selects who have no row here. */
  private async ensureAll(users: string, values: unknown[]): Promise<void> {
    const missing = await this.dataSource.query<{ user_id: number }[]>(
      `SELECT user_id FROM (${users}) AS users
       WHERE NOT EXISTS (SELECT FROM people WHERE people.user_id = users.user_id)`,
      values,
    );
    if (missing.length > 0) await this.people.ensure(missing.map(({ user_id }) => user_id));
  }

  /** The bookings with the names of people whose event has not arrived yet. */
  private async named(rows: readonly BookingRow[]): Promise<BookingRecord[]> {
    const people = await this.people.ensure(
      rows.flatMap((row) => [
        ...(row.mentorName === null ? [row.mentorUserId] : []),
        ...(row.menteeName === null ? [row.menteeUserId] : []),
      ]),
    );
    return rows.map((row) => record(row, people));
  }
}

/** The users of the bookings for which a condition holds. */
function partiesWhere(condition: string): string {
  return `
    SELECT DISTINCT parties.user_id
    FROM bookings b
    JOIN mentors m ON m.id = b.mentor_id
    CROSS JOIN LATERAL (VALUES (m.user_id), (b.mentee_user_id)) AS parties (user_id)
    WHERE ${condition}`;
}

function record(
  row: BookingRow,
  people: ReadonlyMap<number, UserSummary> = new Map(),
): BookingRecord {
  const mentor = people.get(row.mentorUserId);
  const mentee = people.get(row.menteeUserId);
  return {
    ...row,
    mentorName: row.mentorName ?? mentor?.full_name ?? '',
    mentorAvatar: row.mentorAvatar ?? mentor?.avatar_url ?? null,
    menteeName: row.menteeName ?? mentee?.full_name ?? '',
    menteeAvatar: row.menteeAvatar ?? mentee?.avatar_url ?? null,
  };
}
