import {
  ApplicationError,
  type EventEnvelope,
  type PaymentFact,
  paymentRefunded,
  paymentSucceeded,
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
   * A payment that comes while the booking still holds its slot pays for it, even if the hold is overdue but nobody
   * has needed the slot yet. One that comes too late is only noted: payments gives it back by itself, because the
   * expiry or cancellation it was told said that nothing had been paid; `paymentRefunded` then closes the account
   * here. So does a second payment for the same booking, which changes nothing.
   *
   * An amount other than the price is refused: the event is retried, then parked for an operator.
   */
  @OnEvent(paymentSucceeded)
  async markBookingPaid({ data }: EventEnvelope<PaymentFact>, tx: EntityManager): Promise<void> {
    const booking = await this.lock(tx, data);
    if (!booking || booking.paymentStatus !== 'unpaid') return;
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
