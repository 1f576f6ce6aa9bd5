import { Periodic, Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { In, LessThanOrEqual } from 'typeorm';
import { AmountDue } from '../amounts-due/amount-due.entity.js';
import { Payment } from './payment.entity.js';
import { Captures } from './capture.service.js';

const everyMs = 5000;
const batch = 100;

/** Expires pending payments whose time is over. Any replica may sweep; none waits for another. */
@Injectable()
export class PaymentExpiry implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly periodic = new Periodic({
    name: PaymentExpiry.name,
    everyMs,
    turn: async (stopping) => {
      while (!stopping.aborted && (await this.sweep()) === batch);
    },
    failure: 'Payments could not be expired',
  });

  constructor(
    private readonly transactions: Transactions,
    private readonly captures: Captures,
    private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.periodic.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.periodic.stop();
  }

  /** Expires at most 100 payments; resolves to how many. */
  sweep(): Promise<number> {
    return this.transactions.run(async (tx) => {
      const payments = await tx.find(Payment, {
        where: { status: 'pending', expiresAt: LessThanOrEqual(this.clock.now()) },
        order: { expiresAt: 'ASC' },
        take: batch,
        // A locked one is being captured or expired by someone else.
        lock: { mode: 'pessimistic_write', onLocked: 'skip_locked' },
      });
      const amountsDue = await tx.findBy(AmountDue, {
        id: In(payments.map(({ amountDueId }) => amountDueId)),
      });
      const byId = new Map(amountsDue.map((amountDue) => [amountDue.id, amountDue]));
      for (const payment of payments) {
        const amountDue = byId.get(payment.amountDueId);
        if (amountDue) await this.captures.expire(tx, amountDue, payment);
      }
      return payments.length;
    });
  }
}
