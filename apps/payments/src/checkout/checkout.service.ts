import {
  type CheckoutView,
  ApplicationError,
  type PaymentState,
  type SandboxOutcome,
} from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { AmountDue } from '../amounts-due/amount-due.entity.js';
import { AmountsDue } from '../amounts-due/amounts-due.service.js';
import { Payment } from '../payments/payment.entity.js';
import { isCaptured } from '../payments/payment.state-machine.js';
import { PaymentIntents } from '../payments/payment-intents.js';
import { PaymentsService } from '../payments/payments.service.js';
import { PaymentProvider } from '../providers/payment-provider.js';
import { SandboxProvider } from '../providers/sandbox-provider.js';

/** The sandbox provider's checkout page: anyone who knows the unguessable id may look and pay. */
@Injectable()
export class CheckoutService {
  constructor(
    private readonly transactions: Transactions,
    private readonly amountsDue: AmountsDue,
    private readonly intents: PaymentIntents,
    private readonly payments: PaymentsService,
    private readonly provider: PaymentProvider,
    private readonly clock: Clock,
  ) {}

  /**
   * What the page shows. Opening it makes the payment when none is pending; after a failed one, a new one to try again with.
   * @throws ApplicationError `NOT_FOUND`
   */
  async view(checkoutId: string): Promise<CheckoutView> {
    this.sandbox();
    const { id } = await this.amountsDue.byCheckout(checkoutId);
    await this.transactions.run(async (tx) => {
      const amountDue = await this.intents.lock(tx, id);
      if (this.canBePaid(amountDue)) await this.intents.findOrCreate(tx, amountDue, 'card');
    });
    return this.show(id);
  }

  /**
   * Pays, or fails to. Sending the same twice does it once.
   * @throws ApplicationError `NOT_FOUND`; `WRONG_STATE` when there is nothing to pay any more
   */
  async complete(checkoutId: string, outcome: SandboxOutcome): Promise<CheckoutView> {
    const sandbox = this.sandbox();
    const { id } = await this.amountsDue.byCheckout(checkoutId);
    const payment = await this.transactions.run(async (tx) => {
      const amountDue = await this.intents.lock(tx, id);
      const latest = await this.latest(tx, amountDue);
      const ended = latest !== null && latest.status !== 'pending';
      const repeated = ended && latest.status === (outcome === 'succeed' ? 'succeeded' : 'failed');
      if (repeated) return latest;
      return this.intents.findOrCreate(tx, amountDue, 'card');
    });
    await this.payments.completeInSandbox(sandbox, payment, outcome);
    return this.show(id);
  }

  private show(id: number): Promise<CheckoutView> {
    return this.transactions.run(async (tx) => {
      const amountDue = await this.intents.lock(tx, id);
      return checkoutView(amountDue, await this.status(tx, amountDue));
    });
  }

  private sandbox(): SandboxProvider {
    if (this.provider instanceof SandboxProvider) return this.provider;
    throw ApplicationError.notFound('The checkout');
  }

  private canBePaid({ state, expiresAt }: AmountDue): boolean {
    return state === 'open' && expiresAt > this.clock.now();
  }

  private async status(tx: EntityManager, amountDue: AmountDue): Promise<PaymentState> {
    const latest = await this.latest(tx, amountDue);
    if (latest && isCaptured(latest.status)) return latest.status;
    return this.canBePaid(amountDue) ? (latest?.status ?? 'pending') : 'expired';
  }

  /** The captured payment if there is one, else the pending one, else the newest. */
  private latest(tx: EntityManager, { id }: AmountDue): Promise<Payment | null> {
    return tx
      .createQueryBuilder(Payment, 'payment')
      .where({ amountDueId: id })
      .orderBy(`payment.status IN ('succeeded', 'partially_refunded', 'refunded')`, 'DESC')
      .addOrderBy(`payment.status = 'pending'`, 'DESC')
      .addOrderBy('payment.createdAt', 'DESC')
      .limit(1)
      .getOne();
  }
}

function checkoutView(amountDue: AmountDue, status: PaymentState): CheckoutView {
  return {
    checkout_id: amountDue.checkoutId ?? '',
    description: amountDue.description,
    amount_minor: amountDue.amountMinor,
    currency: amountDue.currency,
    status,
    expires_at: amountDue.expiresAt.toISOString(),
  };
}
