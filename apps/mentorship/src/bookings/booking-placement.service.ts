import { randomBytes } from 'node:crypto';
import { bookingRequested, type Caller, ApplicationError } from '@mentorhub/contracts';
import { Outbox, requestContext } from '@mentorhub/messaging';
import { People } from '@mentorhub/people';
import { Idempotency, isExclusionViolation, Transactions } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { endOfBookingWindow, isBookable, nearestStarts } from '../availability/domain/slots.js';
import { type MentorSchedule, SchedulesRepository } from '../availability/schedules.repository.js';
import { checkDuration } from '../availability/slots.service.js';
import type { MentorshipConfig } from '../config.js';
import { rfc3339 } from '../instants.js';
import { bookingFact, type BookingRecord, amountDueOf } from './booking.record.js';
import type { Present } from './booking-views.js';
import { BookingsRepository, type NewBooking, participantsOverlap } from './bookings.repository.js';
import { BookingsService } from './bookings.service.js';
import { HoldExpiry } from './hold-expiry.js';
import { priceOf } from './domain/refund.js';
import type { RequestedTime } from './domain/requested-time.js';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
/** Longer than any session with its buffers. */
const reach = 24 * hour;
/** Beyond every booking window. */
const farthest = 400 * day;
/** How far from the requested time alternatives are sought: first nearby, as that is most often enough. */
const alternativesWithin = [2 * day, 8 * day, 31 * day];
const alternativesCount = 3;
/** First keys of the advisory locks that make the bookings of a user, and of a mentor, wait for each other. */
const bookingsOfUser = 6_201;
const bookingsOfMentor = 6_202;

/** What someone wants to book. */
export interface BookingRequest {
  mentorId: number;
  /** The time, given the mentor's IANA zone. */
  time: (mentorTimezone: string) => RequestedTime;
  topic: string;
  notes?: string;
}

/** Ends an attempt that meets unpaid bookings whose hold is over. */
class OverdueHolds extends Error {
  constructor(readonly holds: readonly BookingRecord[]) {
    super('Unpaid bookings are in the way.');
  }
}

/** How a repeated request is recognised. */
export interface Attempt {
  /** `session_bookings.book`. */
  operation: string;
  request: unknown;
}

/** Takes new bookings. */
@Injectable()
export class BookingPlacement {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly people: People,
    private readonly idempotency: Idempotency,
    private readonly schedules: SchedulesRepository,
    private readonly bookings: BookingsRepository,
    private readonly holds: HoldExpiry,
    private readonly service: BookingsService,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
    @Inject(CONFIG) private readonly config: MentorshipConfig,
  ) {}

  /**
   * Books a free slot in one transaction. With an idempotency key, a repetition gets the first answer.
   *
   * @throws ApplicationError `EMAIL_NOT_VERIFIED`, `NOT_FOUND` without an approved mentor, `FORBIDDEN` for oneself,
   *   `VALIDATION_FAILED` for a length that is not on offer, `RATE_LIMITED`, and `BOOKING_SLOT_TAKEN` with the three nearest free slots in
   *   `alternatives`
   */
  async place<View>(
    actor: Caller,
    requested: BookingRequest,
    { operation, request }: Attempt,
    present: Present<View>,
  ): Promise<View> {
    const userId = actor.user_id;
    // Before the transaction: identity gets no request while it holds locks.
    if (!(await this.bookings.peopleAreReady(requested.mentorId, userId))) {
      await this.people.requireVerified(userId);
      await this.bookings.resolvePeople(requested.mentorId, userId);
    }
    const key = requestContext.current()?.idempotencyKey;
    const attempt = (): Promise<View> =>
      this.transactions.run(async (tx) => {
        await tx.query('SELECT pg_advisory_xact_lock($1, $2)', [bookingsOfUser, userId]);
        return this.idempotency.run(tx, { userId, operation, key, request }, async () => {
          const booking = await this.book(tx, userId, requested);
          return this.service.show(booking, actor, present);
        });
      });
    return this.retryAfterHolds(attempt).catch(async (error: unknown) => {
      if (error instanceof NotBookable) throw taken(error.schedule, error.time, error.now);
      const isTaken =
        error instanceof OverdueHolds || isExclusionViolation(error, participantsOverlap);
      throw isTaken ? await this.refusal(userId, requested) : error;
    });
  }

  /** Tries again once, when only holds that are over are in the way and payments lets one of them expire. */
  private async retryAfterHolds<Result>(attempt: () => Promise<Result>): Promise<Result> {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof OverdueHolds)) throw error;
      const { expired } = await this.holds.expire(error.holds);
      if (expired === 0) throw error;
    }
    return attempt();
  }

  private async book(
    tx: EntityManager,
    userId: number,
    requested: BookingRequest,
  ): Promise<BookingRecord> {
    const now = this.clock.now();
    await this.checkRate(tx, userId, now);

    await this.requireBookable(tx, userId, requested, now);
    // Of those that found the slot free at the same time, one goes on: the others look again instead of inserting in
    // vain. No transaction waits for this lock while it has a row lock.
    await tx.query('SELECT pg_advisory_xact_lock($1, $2)', [bookingsOfMentor, requested.mentorId]);
    const { schedule, time } = await this.requireBookable(tx, userId, requested, now);

    const booking = this.draft(schedule, userId, requested, time, now);
    const holds = await this.bookings.overdueHoldsInTheWay(tx, booking, now);
    if (holds.length > 0) throw new OverdueHolds(holds);
    const id = await this.bookings.insert(tx, booking);

    const placed = await this.bookings.written(tx, id);
    await this.outbox.add(tx, bookingRequested, id, {
      ...bookingFact(placed),
      amount_due: amountDueOf(placed, now),
    });
    await this.schedules.changedByBookings(tx, [placed]);
    return placed;
  }

  /** @throws NotBookable, and ApplicationError for what no other time would change */
  private async requireBookable(
    tx: EntityManager,
    userId: number,
    requested: BookingRequest,
    now: Date,
  ): Promise<{ schedule: MentorSchedule; time: RequestedTime }> {
    const schedule = await this.calendar(tx, userId, requested.mentorId, now);
    if (schedule.mentorUserId === userId) {
      throw new ApplicationError('FORBIDDEN', 'You cannot book a session with yourself.');
    }
    const time = requested.time(schedule.rules.timeZone);
    checkDuration(schedule, time.durationMinutes);
    if (!isBookable(schedule, { ...time, now: now.getTime() })) {
      throw new NotBookable(schedule, time, now);
    }
    return { schedule, time };
  }

  /** The refusal of a time that somebody else holds, with alternatives; holds that are over count as taken. */
  private async refusal(userId: number, requested: BookingRequest): Promise<ApplicationError> {
    const now = this.clock.now();
    const { manager } = this.dataSource;
    const schedule = await this.calendar(manager, userId, requested.mentorId, now, 'taken');
    return taken(schedule, requested.time(schedule.rules.timeZone), now);
  }

  private async checkRate(tx: EntityManager, userId: number, now: Date): Promise<void> {
    const most = this.config.BOOKINGS_PER_HOUR;
    const made = await this.bookings.madeSince(tx, userId, new Date(now.getTime() - hour), most);
    const oldest = made.at(most - 1);
    if (!oldest) return;
    throw new ApplicationError(
      'RATE_LIMITED',
      `At most ${most} sessions can be booked within an hour: try again later.`,
      {
        retryAfterSeconds: Math.max(1, Math.ceil((oldest.getTime() + hour - now.getTime()) / 1000)),
      },
    );
  }

  /** The mentor's calendar from now on, the mentee's own sessions included: enough to offer alternatives, too. */
  private async calendar(
    tx: EntityManager,
    userId: number,
    mentorId: number,
    now: Date,
    overdueHolds: 'free' | 'taken' = 'free',
  ): Promise<MentorSchedule> {
    const span = {
      from: new Date(now.getTime() - reach),
      to: new Date(now.getTime() + farthest),
      holdsOverAt: overdueHolds === 'free' ? now : undefined,
    };
    const schedule = await this.schedules.loadFor(tx, mentorId, userId, span);
    if (schedule?.status !== 'approved') throw ApplicationError.notFound('The mentor');
    return schedule;
  }

  private draft(
    { rules, pricePerHourMinor, currency }: MentorSchedule,
    menteeUserId: number,
    { mentorId, topic, notes }: BookingRequest,
    { start, durationMinutes }: RequestedTime,
    now: Date,
  ): NewBooking {
    const end = start + durationMinutes * minute;
    const priceMinor = priceOf(pricePerHourMinor, durationMinutes);
    const free = priceMinor === 0;
    const holdEnd = now.getTime() + this.config.BOOKING_HOLD_MINUTES * minute;
    return {
      mentorId,
      menteeUserId,
      startsAt: new Date(start),
      endsAt: new Date(end),
      blockedFrom: new Date(start - rules.bufferBeforeMinutes * minute),
      blockedUntil: new Date(end + rules.bufferAfterMinutes * minute),
      paymentStatus: free ? 'not_required' : 'unpaid',
      priceMinor,
      currency,
      topic,
      notes: notes ?? null,
      checkoutId: free ? null : `co_${randomBytes(18).toString('base64url')}`,
      holdExpiresAt: free ? null : new Date(Math.min(holdEnd, start)),
      createdAt: now,
    };
  }
}

/** A time cannot be booked; alternatives are computed when the transaction and its locks have ended. */
class NotBookable extends Error {
  constructor(
    readonly schedule: MentorSchedule,
    readonly time: RequestedTime,
    readonly now: Date,
  ) {
    super('the time cannot be booked');
  }
}

/** The refusal of a time that cannot be booked, with the nearest ones that can. */
function taken(
  schedule: MentorSchedule,
  { start, durationMinutes }: RequestedTime,
  now: Date,
): ApplicationError {
  // Around the requested time, or around the part of the booking window that is nearest to it.
  const reachable = Math.min(start, endOfBookingWindow(schedule.rules, now.getTime()));
  let nearest: number[] = [];
  for (const within of alternativesWithin) {
    const from = Math.max(now.getTime(), reachable - within);
    nearest = nearestStarts(schedule, {
      from,
      to: Math.max(from, reachable) + within,
      durationMinutes,
      now: now.getTime(),
      wanted: start,
      count: alternativesCount,
    });
    if (nearest.length === alternativesCount) break;
  }
  const end = start + durationMinutes * minute;
  const ownSession = schedule.alsoBusy?.some((own) => own.start < end && own.end > start);
  return new ApplicationError(
    'BOOKING_SLOT_TAKEN',
    ownSession
      ? 'You have another session at that time: choose one of the alternatives.'
      : 'This time cannot be booked: choose one of the alternatives.',
    {
      data: {
        alternatives: nearest.map((free) => ({
          starts_at: rfc3339(free),
          ends_at: rfc3339(free + durationMinutes * minute),
        })),
      },
    },
  );
}
