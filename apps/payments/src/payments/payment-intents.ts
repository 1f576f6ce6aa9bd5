import { ApplicationError, paymentCreated, type PaymentMethod } from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AmountDue } from '../amounts-due/amount-due.entity.js';
import { PaymentProvider } from '../providers/payment-provider.js';
import { ProviderCalls } from '../providers/provider-calls.js';
import { paymentFact } from './capture.service.js';
import { newPaymentId } from './payment-id.js';
import { Payment, type RegisteredPayment } from './payment.entity.js';

/**
 * Makes payments in two transactions, with the call to the provider between them. The first stores the payment as an
 * intent, without a reference; the call carries the payment's id as idempotency key; the second stores the reference.
 * Whatever ends in between leaves an intent, which the next attempt goes on with, or which expires like any payment.
 */
@Injectable()
export class PaymentIntents {
  private readonly logger = new Logger(PaymentIntents.name);

  constructor(
    private readonly transactions: Transactions,
    private readonly calls: ProviderCalls,
    private readonly provider: PaymentProvider,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /** Locks an amount due until the end of the transaction. */
  lock(tx: EntityManager, id: number): Promise<AmountDue> {
    return tx.findOneOrFail(AmountDue, { where: { id }, lock: { mode: 'pessimistic_write' } });
  }

  /**
   * The pending payment of an amount due, made when there is none. The amount due must be locked.
   * @throws ApplicationError `WRONG_STATE` when the amount due cannot be paid any more
   */
  async findOrCreate(
    tx: EntityManager,
    amountDue: AmountDue,
    method: PaymentMethod,
  ): Promise<Payment> {
    const now = this.clock.now();
    checkPayable(amountDue, now);
    const pending = await tx.findOne(Payment, {
      where: { amountDueId: amountDue.id, status: 'pending' },
      lock: { mode: 'pessimistic_write' },
    });
    if (pending) return pending;

    const payment = tx.create(Payment, {
      id: newPaymentId(),
      amountDueId: amountDue.id,
      userId: amountDue.userId,
      provider: this.provider.name,
      providerReference: null,
      method,
      amountMinor: amountDue.amountMinor,
      refundedMinor: 0,
      currency: amountDue.currency,
      status: 'pending',
      expiresAt: amountDue.expiresAt,
      createdAt: now,
      updatedAt: now,
    });
    await tx.insert(Payment, payment);
    await this.outbox.add(tx, paymentCreated, payment.id, paymentFact(amountDue, payment));
    return payment;
  }

  /**
   * A pending payment as the provider knows it: prepared there now, unless it has been before. Runs outside of any
   * transaction.
   * @throws ApplicationError `PROVIDER_UNAVAILABLE`; `WRONG_STATE` when the payment has ended meanwhile
   */
  async register(intent: Payment): Promise<RegisteredPayment> {
    if (isRegistered(intent)) return intent;
    const { id: paymentId, method, amountMinor, currency } = intent;
    const reference = await this.calls.open({ paymentId, method, amountMinor, currency });
    const { amountDue, payment } = await this.transactions.run(async (tx) => {
      // Also when the payment has ended meanwhile: money that still comes for it must be found, and given back.
      await tx.query(
        `UPDATE payments SET provider_reference = $2, updated_at = $3
         WHERE id = $1 AND provider_reference IS NULL`,
        [paymentId, reference, this.clock.now()],
      );
      return {
        payment: await tx.findOneByOrFail(Payment, { id: paymentId }),
        amountDue: await tx.findOneByOrFail(AmountDue, { id: intent.amountDueId }),
      };
    });
    checkPayable(amountDue, this.clock.now());
    if (payment.status !== 'pending') throw hasEnded(payment.status);
    if (!isRegistered(payment)) throw new Error(`Payment ${paymentId} lost its reference.`);
    if (payment.providerReference !== reference) {
      this.logger.error('The provider gave one payment two references; the first counts.', {
        payment_id: paymentId,
        provider: payment.provider,
      });
    }
    return payment;
  }
}

/** Says why a payment cannot be completed; what is left is to make a new one. */
export function hasEnded(status: string): ApplicationError {
  return new ApplicationError(
    'WRONG_STATE',
    `The payment is ${status}: create a new one if the session is still to be paid.`,
  );
}

function isRegistered(payment: Payment): payment is RegisteredPayment {
  return payment.providerReference !== null;
}

function checkPayable({ state, expiresAt }: AmountDue, now: Date): void {
  if (state === 'paid') {
    throw new ApplicationError(
      'WRONG_STATE',
      'The session is paid already: there is nothing to pay.',
    );
  }
  if (state === 'closed' || expiresAt <= now) {
    throw new ApplicationError(
      'WRONG_STATE',
      'The time to pay this session is over: book a session again.',
    );
  }
}
