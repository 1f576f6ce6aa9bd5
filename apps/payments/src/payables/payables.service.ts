import {
  type BookingFact,
  Bookings,
  CodedError,
  type Payable as DuePayable,
} from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { Payable } from './payable.entity.js';

/** What users owe. Known from mentorship's events; asked for when the event has not arrived yet. */
@Injectable()
export class Payables {
  constructor(
    private readonly dataSource: DataSource,
    private readonly requests: RequestClient,
    private readonly clock: Clock,
  ) {}

  /** The payable of a booking. @throws CodedError `NOT_FOUND` when the booking is unknown or costs nothing */
  byBooking(bookingId: number): Promise<Payable> {
    return this.find({ bookingId }, { booking_id: bookingId }, 'The session');
  }

  /** The payable of a checkout page. @throws CodedError `NOT_FOUND` */
  byCheckout(checkoutId: string): Promise<Payable> {
    return this.find({ checkoutId }, { checkout_id: checkoutId }, 'The checkout');
  }

  /** Stores a payable; does nothing to one that is known, except giving it the checkout id it may lack. */
  async open(tx: EntityManager, due: DuePayable): Promise<void> {
    // No conflict target: of two that come at once, the second may meet the first at either of the two unique keys.
    await tx.query(
      `INSERT INTO payables
         (booking_id, checkout_id, user_id, mentor_user_id, amount_minor, currency, description, expires_at, state)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       ON CONFLICT DO NOTHING`,
      [
        due.booking_id,
        due.checkout_id,
        due.mentee_user_id,
        due.mentor_user_id,
        due.amount_minor,
        due.currency,
        due.topic,
        due.expires_at,
        // Nothing that was due before and is not now becomes due again.
        due.due ? 'open' : 'closed',
      ],
    );
    await tx.query(
      'UPDATE payables SET checkout_id = $2 WHERE booking_id = $1 AND checkout_id IS NULL',
      [due.booking_id, due.checkout_id],
    );
  }

  /**
   * Locks a booking's payable until the end of the transaction. One that is unknown, because the event of the booking's
   * end overtook that of its beginning, is stored as closed, so that the beginning cannot open it. Undefined for a
   * booking that costs nothing.
   */
  async lockByBooking(tx: EntityManager, fact: BookingFact): Promise<Payable | undefined> {
    if (fact.price_minor === 0) return undefined;
    await tx.query(
      `INSERT INTO payables
         (booking_id, user_id, mentor_user_id, amount_minor, currency, description, expires_at, state)
       VALUES ($1, $2, $3, $4, $5, $6, $7, 'closed')
       ON CONFLICT DO NOTHING`,
      [
        fact.booking_id,
        fact.mentee_user_id,
        fact.mentor_user_id,
        fact.price_minor,
        fact.currency,
        fact.topic,
        this.clock.now(),
      ],
    );
    return tx.findOneOrFail(Payable, {
      where: { bookingId: fact.booking_id },
      lock: { mode: 'pessimistic_write' },
    });
  }

  private async find(
    known: { bookingId: number } | { checkoutId: string },
    asked: { booking_id: number } | { checkout_id: string },
    what: string,
  ): Promise<Payable> {
    const { manager } = this.dataSource;
    const payable = await manager.findOneBy(Payable, known);
    if (payable) return payable;

    const due = await this.requests.request(Bookings.payable, undefined, asked).catch((error) => {
      // In the words of the caller, so that unknown and another's look alike.
      throw isNotFound(error) ? CodedError.notFound(what) : error;
    });
    await this.open(manager, due);
    return manager.findOneByOrFail(Payable, { bookingId: due.booking_id });
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof CodedError && error.code === 'NOT_FOUND';
}
