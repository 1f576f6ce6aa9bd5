import { Periodic, Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { In, LessThanOrEqual } from 'typeorm';
import { Payable } from '../payables/payable.entity.js';
import { Payment } from './payment.entity.js';
import { Settlement } from './settlement.service.js';

const everyMs = 5000;
const batch = 100;

/** Expires payments that waited too long. Any replica may sweep; none waits for another. */
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
    private readonly settlement: Settlement,
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
        // A locked one is being settled or expired by someone else.
        lock: { mode: 'pessimistic_write', onLocked: 'skip_locked' },
      });
      const payables = await tx.findBy(Payable, {
        id: In(payments.map(({ payableId }) => payableId)),
      });
      const byId = new Map(payables.map((payable) => [payable.id, payable]));
      for (const payment of payments) {
        const payable = byId.get(payment.payableId);
        if (payable) await this.settlement.expire(tx, payable, payment);
      }
      return payments.length;
    });
  }
}
