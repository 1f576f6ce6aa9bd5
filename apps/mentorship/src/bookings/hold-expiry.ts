import { AmountsDue, ApplicationError } from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable, Logger } from '@nestjs/common';
import { BookingChanges } from './booking-changes.js';
import { bookingFact, type BookingRecord, isOverdueHold } from './booking.record.js';
import { BookingsRepository } from './bookings.repository.js';

/** Requests to payments at a time. */
const concurrency = 8;
/** Holds read at a time. */
const pageSize = 40;

type Decision = 'expired' | 'paid';

/** How many holds ended in which way. */
export interface HoldOutcomes {
  expired: number;
  /** Paid in time; the event about it is on its way. */
  paid: number;
  /** Undecided: payments or the database did not answer. The holds stay, and the next sweep tries them again. */
  unanswered: number;
}

/**
 * Expires unpaid bookings whose hold is over. Whether one was paid in time is known to payments alone, as its event may
 * still be on the way: so a hold only expires after payments has confirmed that it closed the amount due. Both services
 * decide in a transaction of their own, and no lock is kept in between.
 */
@Injectable()
export class HoldExpiry {
  private readonly logger = new Logger(HoldExpiry.name);
  /** The last hold the sweeps have reached, so that holds that cannot be decided do not starve those behind them. */
  private reached = 0;
  private readonly deciding = new Map<number, Promise<Decision>>();

  constructor(
    private readonly transactions: Transactions,
    private readonly bookings: BookingsRepository,
    private readonly changes: BookingChanges,
    private readonly requests: RequestClient,
    private readonly clock: Clock,
  ) {}

  /**
   * Expires all overdue holds. When payments answers for none of a page, the rest is left for the next sweep, which
   * begins behind it. Resolves to how many have expired.
   */
  async sweep(stopping: AbortSignal): Promise<number> {
    let expired = 0;
    while (!stopping.aborted) {
      const page = await this.bookings.overdueHolds(this.clock.now(), this.reached, pageSize);
      const outcomes = await this.expire(page);
      expired += outcomes.expired;
      this.reached = page.length < pageSize ? 0 : (page.at(-1)?.id ?? 0);
      if (this.reached === 0 || outcomes.unanswered === page.length) break;
    }
    return expired;
  }

  /** Expires those of the bookings that payments confirms as unpaid. Never rejects because of a single one. */
  async expire(bookings: readonly BookingRecord[]): Promise<HoldOutcomes> {
    const outcomes: HoldOutcomes = { expired: 0, paid: 0, unanswered: 0 };
    let failure: unknown;
    const queue = bookings.values();
    const worker = async (): Promise<void> => {
      for (const booking of queue) {
        try {
          outcomes[await this.decide(booking)] += 1;
        } catch (error) {
          outcomes.unanswered += 1;
          failure ??= error;
        }
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    if (outcomes.unanswered > 0) {
      this.logger.warn('Unpaid holds could not be expired yet; the next sweep tries them again.', {
        holds: outcomes.unanswered,
        reason: failure instanceof ApplicationError ? failure.code : failure,
      });
    }
    return outcomes;
  }

  /** Those who meet the same hold at the same time share one decision. */
  private decide(booking: BookingRecord): Promise<Decision> {
    const running = this.deciding.get(booking.id);
    if (running) return running;
    const decision = this.closeAndExpire(booking).finally(() => this.deciding.delete(booking.id));
    this.deciding.set(booking.id, decision);
    return decision;
  }

  private async closeAndExpire(booking: BookingRecord): Promise<Decision> {
    const { outcome } = await this.requests.request(
      AmountsDue.close,
      undefined,
      bookingFact(booking),
    );
    if (outcome === 'paid') return 'paid';
    await this.bookings.resolvePeopleOf(booking.id);
    await this.transactions.run(async (tx) => {
      const current = await this.bookings.lock(tx, booking.id);
      // Cancelled, or expired by another replica, during the request to payments.
      if (!current || !isOverdueHold(current, this.clock.now())) return;
      await this.changes.expire(tx, [current]);
    });
    return 'expired';
  }
}
