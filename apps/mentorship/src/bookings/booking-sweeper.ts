import { ApplicationError } from '@mentorhub/contracts';
import { Periodic, Transactions } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { MentorshipConfig } from '../config.js';
import { BookingChanges } from './booking-changes.js';
import type { BookingRecord } from './booking.record.js';
import { BookingsRepository } from './bookings.repository.js';
import { cancelForErased, dueForErasure, ErasedUsers } from './erased-users.js';
import { HoldExpiry } from './hold-expiry.js';

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

/** What happens to bookings by the mere passing of time, apart from holds that nobody pays: see `HoldExpiry`. */
const rules: readonly Rule[] = [
  {
    // Not confirmed by its start. An unpaid one is an overdue hold by then.
    due: `b.status = 'pending' AND b.payment_status <> 'unpaid' AND b.starts_at <= $1`,
    apply: (changes, tx, bookings) => changes.expire(tx, bookings),
  },
  {
    // Not closed by anyone a day after its end.
    due: `b.status = 'confirmed' AND b.ends_at <= $1::timestamptz - interval '24 hours'`,
    apply: (changes, tx, bookings) => changes.complete(tx, bookings),
  },
  { due: dueForErasure, apply: cancelForErased },
];

/**
 * Lets time act on bookings, every few seconds. Every replica sweeps; each booking is claimed by one. Holds have a
 * period of their own, because a payments that does not answer must not delay the rest.
 */
@Injectable()
export class BookingSweeper implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(BookingSweeper.name);
  private readonly periods: readonly Periodic[];

  constructor(
    private readonly transactions: Transactions,
    private readonly bookings: BookingsRepository,
    private readonly changes: BookingChanges,
    private readonly holds: HoldExpiry,
    private readonly erased: ErasedUsers,
    private readonly clock: Clock,
    @Inject(CONFIG) config: MentorshipConfig,
  ) {
    const period = { everyMs: config.SWEEP_INTERVAL_MS, atOnce: true };
    this.periods = [
      new Periodic({
        ...period,
        name: BookingSweeper.name,
        turn: (stopping) => this.applyRules(stopping),
        failure: 'Bookings whose time has come could not be changed',
      }),
      new Periodic({
        ...period,
        name: HoldExpiry.name,
        turn: (stopping) => this.holds.sweep(stopping),
        failure: 'Unpaid holds could not be expired',
      }),
    ];
  }

  onApplicationBootstrap(): void {
    for (const period of this.periods) period.start();
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.periods.map((period) => period.stop()));
  }

  /** Lets time act once on every booking it is time for. Resolves to how many were changed. */
  async sweep(stopping: AbortSignal = new AbortController().signal): Promise<number> {
    return (await this.applyRules(stopping)) + (await this.holds.sweep(stopping));
  }

  private async applyRules(stopping: AbortSignal): Promise<number> {
    let swept = 0;
    for (const rule of rules) {
      let claimed: number;
      do {
        claimed = await this.apply(rule);
        swept += claimed;
      } while (claimed === batch && !stopping.aborted);
    }
    await this.erased.sweep(stopping);
    return swept;
  }

  private async apply({ due: condition, apply }: Rule): Promise<number> {
    const instant = this.clock.now();
    const resolved = await this.resolvePeople(condition, instant);
    return this.transactions.run(async (tx) => {
      const due = await this.bookings.claim(tx, {
        condition,
        instant,
        limit: batch,
        named: !resolved,
      });
      await apply(this.changes, tx, due);
      return due.length;
    });
  }

  /** Whether all names are here that there are. Otherwise bookings without names wait for the next sweep. */
  private async resolvePeople(condition: string, instant: Date): Promise<boolean> {
    try {
      await this.bookings.resolvePeopleWhere(condition, instant);
      return true;
    } catch (error) {
      if (!(error instanceof ApplicationError)) throw error;
      this.logger.warn('Bookings whose people have no names here wait for the next sweep.', {
        reason: error.code,
      });
      return false;
    }
  }
}
