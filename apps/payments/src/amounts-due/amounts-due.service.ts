import {
  type BookingFact,
  Bookings,
  ApplicationError,
  type BookingAmountDue,
} from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AmountDue } from './amount-due.entity.js';

/** What users owe: from mentorship's events, or by request when the event has not arrived yet. */
@Injectable()
export class AmountsDue {
  constructor(
    private readonly dataSource: DataSource,
    private readonly requests: RequestClient,
    private readonly clock: Clock,
  ) {}

  /** The amount due of a booking. @throws ApplicationError `NOT_FOUND` when the booking is unknown or costs nothing */
  byBooking(bookingId: number): Promise<AmountDue> {
    return this.find({ bookingId }, { booking_id: bookingId }, 'The session');
  }

  /** The amount due of a checkout page. @throws ApplicationError `NOT_FOUND` */
  byCheckout(checkoutId: string): Promise<AmountDue> {
    return this.find({ checkoutId }, { checkout_id: checkoutId }, 'The checkout');
  }

  /** Stores an amount due; does nothing to one that is known, except giving it the checkout id it may lack. */
  async open(tx: EntityManager, due: BookingAmountDue): Promise<void> {
    // No conflict target: of two that come at once, the second may meet the first at either of the two unique keys.
    await tx.query(
      `INSERT INTO amounts_due
         (booking_id, checkout_id, user_id, mentor_user_id, amount_minor, currency, description, expires_at, state)
       SELECT $1, $2, $3, $4, $5, $6, ${descriptionFor('$3', '$7')}, $8, $9
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
      'UPDATE amounts_due SET checkout_id = $2 WHERE booking_id = $1 AND checkout_id IS NULL',
      [due.booking_id, due.checkout_id],
    );
  }

  /**
   * Locks a booking's amount due until the end of the transaction. One that is unknown, because the event of the booking's
   * end overtook that of its beginning, is stored as closed, so that the beginning cannot open it. Undefined for a
   * booking that costs nothing.
   */
  async lockByBooking(tx: EntityManager, fact: BookingFact): Promise<AmountDue | undefined> {
    if (fact.price_minor === 0) return undefined;
    await tx.query(
      `INSERT INTO amounts_due
         (booking_id, user_id, mentor_user_id, amount_minor, currency, description, expires_at, state)
       SELECT $1, $2, $3, $4, $5, ${descriptionFor('$2', '$6')}, $7, 'closed'
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
    return tx.findOneOrFail(AmountDue, {
      where: { bookingId: fact.booking_id },
      lock: { mode: 'pessimistic_write' },
    });
  }

  private async find(
    known: { bookingId: number } | { checkoutId: string },
    asked: { booking_id: number } | { checkout_id: string },
    what: string,
  ): Promise<AmountDue> {
    const { manager } = this.dataSource;
    const amountDue = await manager.findOneBy(AmountDue, known);
    if (amountDue) return amountDue;

    const due = await this.requests.request(Bookings.amountDue, undefined, asked).catch((error) => {
      // In the words of the caller, so that unknown and another's look alike.
      throw isNotFound(error) ? ApplicationError.notFound(what) : error;
    });
    await this.open(manager, due);
    return manager.findOneByOrFail(AmountDue, { bookingId: due.booking_id });
  }
}

/** What is due, in the words of a user; of one who has erased the account in none. */
function descriptionFor(user: string, text: string): string {
  return `CASE WHEN EXISTS (SELECT FROM erased_users WHERE user_id = ${user}) THEN '' ELSE ${text} END`;
}

function isNotFound(error: unknown): boolean {
  return error instanceof ApplicationError && error.code === 'NOT_FOUND';
}
