import {
  type CheckoutView,
  CodedError,
  type PaymentState,
  type SandboxOutcome,
} from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Payable } from '../payables/payable.entity.js';
import { Payables } from '../payables/payables.service.js';
import { Payment } from '../payments/payment.entity.js';
import { isSettled } from '../payments/payment.state-machine.js';
import { PaymentsService } from '../payments/payments.service.js';
import { PaymentProvider } from '../providers/payment-provider.js';
import { SandboxProvider } from '../providers/sandbox-provider.js';

/** The sandbox provider's checkout page: whoever holds the unguessable id may look and pay. */
@Injectable()
export class CheckoutService {
  constructor(
    private readonly transactions: Transactions,
    private readonly payables: Payables,
    private readonly payments: PaymentsService,
    private readonly provider: PaymentProvider,
    private readonly clock: Clock,
  ) {}

  /**
   * What the page shows. Opening it makes the payment when none waits; after a failed one, a new one to try again with.
   * @throws CodedError `NOT_FOUND`
   */
  async view(checkoutId: string): Promise<CheckoutView> {
    this.sandbox();
    const { id } = await this.payables.byCheckout(checkoutId);
    return this.transactions.run(async (tx) => {
      const payable = await this.payments.lock(tx, id);
      if (this.canBePaid(payable)) await this.payments.live(tx, payable, 'card');
      return checkoutView(payable, await this.status(tx, payable));
    });
  }

  /**
   * Pays, or fails to. Sending the same twice does it once.
   * @throws CodedError `NOT_FOUND`; `WRONG_STATE` when there is nothing to pay any more
   */
  async settle(checkoutId: string, outcome: SandboxOutcome): Promise<CheckoutView> {
    const sandbox = this.sandbox();
    const { id } = await this.payables.byCheckout(checkoutId);
    const payment = await this.transactions.run(async (tx) => {
      const payable = await this.payments.lock(tx, id);
      const latest = await this.latest(tx, payable);
      const ended = latest !== null && latest.status !== 'pending';
      const repeated = ended && latest.status === (outcome === 'succeed' ? 'succeeded' : 'failed');
      if (repeated) return latest;
      return this.payments.live(tx, payable, 'card');
    });
    await this.payments.settleInSandbox(sandbox, payment, outcome);
    return this.transactions.run(async (tx) => {
      const payable = await this.payments.lock(tx, id);
      return checkoutView(payable, await this.status(tx, payable));
    });
  }

  private sandbox(): SandboxProvider {
    if (this.provider instanceof SandboxProvider) return this.provider;
    throw CodedError.notFound('The checkout');
  }

  private canBePaid({ state, expiresAt }: Payable): boolean {
    return state === 'open' && expiresAt > this.clock.now();
  }

  private async status(tx: EntityManager, payable: Payable): Promise<PaymentState> {
    const latest = await this.latest(tx, payable);
    if (latest && isSettled(latest.status)) return latest.status;
    return this.canBePaid(payable) ? (latest?.status ?? 'pending') : 'expired';
  }

  /** The settled payment if there is one, else the one that waits, else the newest. */
  private latest(tx: EntityManager, { id }: Payable): Promise<Payment | null> {
    return tx
      .createQueryBuilder(Payment, 'payment')
      .where({ payableId: id })
      .orderBy(`payment.status IN ('succeeded', 'partially_refunded', 'refunded')`, 'DESC')
      .addOrderBy(`payment.status = 'pending'`, 'DESC')
      .addOrderBy('payment.createdAt', 'DESC')
      .limit(1)
      .getOne();
  }
}

function checkoutView(payable: Payable, status: PaymentState): CheckoutView {
  return {
    checkout_id: payable.checkoutId ?? '',
    description: payable.description,
    amount_minor: payable.amountMinor,
    currency: payable.currency,
    status,
    expires_at: payable.expiresAt.toISOString(),
  };
}
