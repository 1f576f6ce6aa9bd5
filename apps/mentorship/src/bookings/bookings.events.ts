import {
  ApplicationError,
  type EventEnvelope,
  type PaymentFact,
  paymentRefunded,
  paymentSucceeded,
  type PaymentSucceeded,
} from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { BookingChanges } from './booking-changes.js';
import type { BookingRecord } from './booking.record.js';
import { BookingsRepository } from './bookings.repository.js';

/** What payments mean for bookings. */
@Controller()
export class BookingsEvents {
  private readonly logger = new Logger(BookingsEvents.name);

  constructor(
    private readonly bookings: BookingsRepository,
    private readonly changes: BookingChanges,
  ) {}

  /**
   * A payment that payments keeps pays for the booking, even if its hold is over: as long as payments has not closed
   * the amount due, nobody else gets the slot. One that is not kept came too late or after another one. It never pays
   * for a booking that still waits; on one that has ended it is recorded, and so is its refund.
   *
   * An amount other than the price is refused: the event is retried, then dead-lettered.
   */
  @OnEvent(paymentSucceeded)
  async markBookingPaid(
    { data }: EventEnvelope<PaymentSucceeded>,
    tx: EntityManager,
  ): Promise<void> {
    const booking = await this.lock(tx, data);
    if (!booking || booking.paymentStatus !== 'unpaid') return;
    if (data.kept === false && booking.status === 'pending') return;
    if (data.amount_minor !== booking.priceMinor || data.currency !== booking.currency) {
      throw new ApplicationError(
        'AMOUNT_MISMATCH',
        `Payment ${data.payment_id} does not match the price of booking ${booking.id}.`,
      );
    }
    await this.changes.markPaid(tx, booking, data.payment_id);
  }

  @OnEvent(paymentRefunded)
  async noteRefund(
    { data }: EventEnvelope<PaymentFact & { refunded_minor: number }>,
    tx: EntityManager,
  ): Promise<void> {
    const booking = await this.lock(tx, data);
    if (!booking || booking.paymentId !== data.payment_id) return;
    await this.changes.markRefunded(tx, booking, data.refunded_minor);
  }

  private async lock(
    tx: EntityManager,
    { booking_id, payment_id }: PaymentFact,
  ): Promise<BookingRecord | undefined> {
    if (booking_id === null) return undefined;
    const booking = await this.bookings.lock(tx, booking_id);
    if (!booking)
      this.logger.warn('A payment names an unknown booking.', { booking_id, payment_id });
    return booking;
  }
}
