import { Periodic, Transactions } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { MentorshipConfig } from '../config.js';
import { BookingChanges } from './booking-changes.js';
import type { BookingRecord } from './booking.record.js';
import { BookingsRepository } from './bookings.repository.js';

/** Small, so that locks are short and replicas share the work. */
const batch = 20;

interface Rule {
  /** Which bookings it is time for at `$1`. */
  readonly due: string;
  readonly apply: (
    changes: BookingChanges,
    tx: EntityManager,
    bookings: readonly BookingRecord[],
  ) => Promise<void>;
}

/** What happens to bookings by the mere passing of time. */
const rules: Record<string, Rule> = {
  unpaidHoldExpires: {
    due: `b.status = 'pending' AND b.payment_status = 'unpaid' AND b.hold_expires_at <= $1`,
    apply: (changes, tx, bookings) => changes.expire(tx, bookings),
  },
  unconfirmedExpiresAtItsStart: {
    due: `b.status = 'pending' AND b.starts_at <= $1`,
    apply: (changes, tx, bookings) => changes.expire(tx, bookings),
  },
  unclosedCompletesADayAfterItsEnd: {
    due: `b.status = 'confirmed' AND b.ends_at <= $1::timestamptz - interval '24 hours'`,
    apply: async (changes, tx, bookings) => {
      // Mentors are locked one after the other: in the order of their ids, as everywhere.
      for (const booking of bookings.toSorted((a, b) => a.mentorId - b.mentorId)) {
        await changes.complete(tx, booking);
      }
    },
  },
};

/** Lets time act on bookings, every few seconds. Every replica sweeps; each booking is claimed by one. */
@Injectable()
export class BookingSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly periodic: Periodic;

  constructor(
    private readonly transactions: Transactions,
    private readonly bookings: BookingsRepository,
    private readonly changes: BookingChanges,
    private readonly clock: Clock,
    @Inject(CONFIG) config: MentorshipConfig,
  ) {
    this.periodic = new Periodic({
      name: BookingSweeper.name,
      everyMs: config.SWEEP_INTERVAL_MS,
      atOnce: true,
      turn: (stopping) => this.sweep(stopping),
      failure: 'Bookings whose time has come could not be changed',
    });
  }

  onApplicationBootstrap(): void {
    this.periodic.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.periodic.stop();
  }

  /** Applies every rule to all bookings it is time for. Resolves to how many there were. */
  async sweep(stopping: AbortSignal = new AbortController().signal): Promise<number> {
    let swept = 0;
    for (const rule of Object.values(rules)) {
      let claimed: number;
      do {
        claimed = await this.apply(rule);
        swept += claimed;
      } while (claimed === batch && !stopping.aborted);
    }
    return swept;
  }

  private apply(rule: Rule): Promise<number> {
    return this.transactions.run(async (tx) => {
      const due = await this.bookings.claim(tx, rule.due, this.clock.now(), batch);
      await rule.apply(this.changes, tx, due);
      return due.length;
    });
  }
}
