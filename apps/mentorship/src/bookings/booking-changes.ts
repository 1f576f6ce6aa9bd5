import {
  bookingCancelled,
  bookingCompleted,
  bookingConfirmed,
  bookingExpired,
  bookingMeetingLinkAdded,
  bookingNoShow,
  bookingPaid,
  type Party,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { SchedulesRepository } from '../availability/schedules.repository.js';
import type { Booking } from './booking.entity.js';
import { bookingFact, type BookingRecord, paidMinor } from './booking.record.js';
import { nextStatus } from './booking.state-machine.js';
import { BookingsRepository } from './bookings.repository.js';
import { refundOnCancellation, refundOnNoShow } from './domain/refund.js';

/**
 * Every change of a booking with its event, caused by a party, a payment or the clock. The
 * booking must be locked by the transaction; mentors are locked after bookings, never before.
 */
@Injectable()
export class BookingChanges {
  constructor(
    private readonly bookings: BookingsRepository,
    private readonly schedules: SchedulesRepository,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  async confirm(tx: EntityManager, booking: BookingRecord): Promise<void> {
    await this.bookings.update(tx, booking, {
      status: nextStatus(booking.status, 'confirm'),
    });
    await this.outbox.add(tx, bookingConfirmed, booking.id, bookingFact(booking));
  }

  async cancel(
    tx: EntityManager,
    booking: BookingRecord,
    by: Party,
    reason: string | null,
  ): Promise<void> {
    const action = by === 'mentor' ? 'cancelByMentor' : 'cancelByMentee';
    const status = nextStatus(booking.status, action);
    const refund = refundOnCancellation({
      by,
      confirmed: booking.status === 'confirmed',
      startsAt: booking.startsAt,
      now: this.clock.now(),
      paidMinor: paidMinor(booking),
    });
    await this.bookings.update(tx, booking, {
      status,
      cancellationReason: reason,
      holdExpiresAt: null,
    });
    await this.outbox.add(tx, bookingCancelled, booking.id, {
      ...bookingFact(booking),
      cancelled_by: by,
      reason,
      refund_minor: refund,
    });
    await this.schedules.changedByBookings(tx, [booking]);
  }

  /** Frees the time of bookings; whatever was paid is refunded in full. */
  async expire(tx: EntityManager, bookings: readonly BookingRecord[]): Promise<void> {
    for (const booking of bookings) {
      await this.bookings.update(tx, booking, {
        status: nextStatus(booking.status, 'expire'),
        holdExpiresAt: null,
      });
      await this.outbox.add(tx, bookingExpired, booking.id, {
        ...bookingFact(booking),
        refund_minor: paidMinor(booking),
      });
    }
    if (bookings.length > 0) await this.schedules.changedByBookings(tx, bookings);
  }

  /** Completes bookings; `given` is written to each of them. */
  async complete(
    tx: EntityManager,
    bookings: readonly BookingRecord[],
    given: Partial<Booking> = {},
  ): Promise<void> {
    for (const booking of bookings) {
      await this.bookings.update(tx, booking, {
        ...given,
        status: nextStatus(booking.status, 'complete'),
        completedAt: this.clock.now(),
      });
      await this.outbox.add(tx, bookingCompleted, booking.id, bookingFact(booking));
    }
    if (bookings.length === 0) return;
    await this.schedules.changedByBookings(tx, bookings);
    await tx.query(
      `UPDATE mentor_stats SET completed_sessions = completed_sessions + completed.sessions
       FROM (SELECT mentor_id, count(*) AS sessions FROM unnest($1::integer[]) AS mentor_id GROUP BY mentor_id)
         AS completed
       WHERE mentor_stats.mentor_id = completed.mentor_id`,
      [bookings.map(({ mentorId }) => mentorId)],
    );
  }

  /** Records that a party missed the session; what is refunded follows from who it was. */
  async markNoShow(tx: EntityManager, booking: BookingRecord, absent: Party): Promise<void> {
    await this.bookings.update(tx, booking, {
      status: nextStatus(booking.status, 'markNoShow'),
      absentParty: absent,
    });
    await this.outbox.add(tx, bookingNoShow, booking.id, {
      ...bookingFact(booking),
      absent_party: absent,
      refund_minor: refundOnNoShow(absent, paidMinor(booking)),
    });
    await this.schedules.changedByBookings(tx, [booking]);
  }

  async addMeetingLink(
    tx: EntityManager,
    booking: BookingRecord,
    link: Pick<Booking, 'meetingUrl' | 'meetingPlatform'>,
  ): Promise<void> {
    await this.bookings.update(tx, booking, link);
    await this.outbox.add(tx, bookingMeetingLinkAdded, booking.id, bookingFact(booking));
  }

  /** Records a payment; a booking that still waits for it is paid now, and no longer a hold. */
  async markPaid(tx: EntityManager, booking: BookingRecord, paymentId: string): Promise<void> {
    await this.bookings.update(tx, booking, {
      paymentStatus: 'paid',
      paymentId,
      holdExpiresAt: null,
    });
    if (booking.status === 'pending') {
      await this.outbox.add(tx, bookingPaid, booking.id, bookingFact(booking));
    }
  }

  /** Records a refund. */
  async markRefunded(
    tx: EntityManager,
    booking: BookingRecord,
    refundedMinor: number,
  ): Promise<void> {
    const total = Math.min(booking.priceMinor, booking.refundedMinor + refundedMinor);
    await this.bookings.update(tx, booking, {
      refundedMinor: total,
      paymentStatus: total === booking.priceMinor ? 'refunded' : 'partially_refunded',
    });
  }
}
