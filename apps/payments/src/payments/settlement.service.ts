import {
  type BookingFact,
  CodedError,
  type EventContract,
  paymentExpired,
  type PaymentFact,
  paymentFailed,
  paymentRefunded,
  paymentSucceeded,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Ledger } from '../ledger/ledger.js';
import { refundPostings, settlementPostings } from '../ledger/postings.js';
import { Payable } from '../payables/payable.entity.js';
import { Payables } from '../payables/payables.service.js';
import type { ProviderEvent } from '../providers/payment-provider.js';
import { Payment } from './payment.entity.js';
import { isSettled, nextPaymentState } from './payment.state-machine.js';
import { Refund, type RefundReason } from './refund.entity.js';

/** What the payment is about, for events. */
export function paymentFact(payable: Payable, payment: Payment): PaymentFact {
  return {
    payment_id: payment.id,
    booking_id: payable.bookingId,
    user_id: payable.userId,
    mentor_user_id: payable.mentorUserId,
    amount_minor: payment.amountMinor,
    currency: payment.currency,
    description: payable.description,
  };
}

/**
 * Money coming in and going back. Every way of it locks the payable first and its payment second, so that whatever is
 * reported at the same time is decided one after the other.
 */
@Injectable()
export class Settlement {
  constructor(
    private readonly transactions: Transactions,
    private readonly payables: Payables,
    private readonly ledger: Ledger,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /**
   * Takes note of what a provider reports; the one way in, for the sandbox as for webhooks. Reports that were heard
   * before, and failures that come after anything else, change nothing. Money that comes for a booking that has ended,
   * or has been paid already, is settled and goes back in full.
   *
   * Resolves to the payment as it is afterwards.
   * @throws CodedError `NOT_FOUND` for a payment that is not ours, `AMOUNT_MISMATCH` when another amount was taken
   */
  settle(report: ProviderEvent): Promise<Payment> {
    return this.transactions.run(async (tx) => {
      const { payable, payment } = await this.lock(tx, report);
      if (
        report.amountMinor !== payment.amountMinor ||
        report.currency.toUpperCase() !== payment.currency
      ) {
        throw new CodedError(
          'AMOUNT_MISMATCH',
          'The provider reports another amount or currency than the payment has.',
        );
      }
      const status = nextPaymentState(
        payment.status,
        report.outcome === 'succeeded' ? 'succeed' : 'fail',
      );
      if (!status) return payment;

      await this.change(tx, payment, { status });
      if (status === 'failed') {
        await this.tell(tx, paymentFailed, payable, payment);
        return payment;
      }

      await this.ledger.post(tx, {
        kind: 'settlement',
        paymentId: payment.id,
        currency: payment.currency,
        postings: settlementPostings({
          provider: payment.provider,
          mentorUserId: payable.mentorUserId,
          amountMinor: payment.amountMinor,
        }),
      });
      await this.tell(tx, paymentSucceeded, payable, payment);
      if (payable.state === 'open') {
        await tx.update(Payable, payable.id, { state: 'paid' });
      } else {
        const reason = payable.state === 'paid' ? 'paid_twice' : 'paid_too_late';
        await this.refund(tx, payable, payment, payment.amountMinor, reason);
      }
      return payment;
    });
  }

  /**
   * Ends what a booking was due for: a payment that waits expires, and of a settled one `refundMinor` goes back.
   * When mentorship had not yet heard of the payment, all of it does: nothing was held for it.
   */
  async close(
    tx: EntityManager,
    fact: BookingFact,
    refundMinor: number,
    reason: RefundReason,
  ): Promise<void> {
    const payable = await this.payables.lockByBooking(tx, fact);
    if (!payable || payable.state === 'closed') return;

    const payments = await tx.find(Payment, {
      where: { payableId: payable.id },
      order: { createdAt: 'ASC', id: 'ASC' },
      lock: { mode: 'pessimistic_write' },
    });
    for (const payment of payments) {
      if (payment.status === 'pending') await this.expire(tx, payable, payment);
    }
    const settled = payments.find(({ status }) => isSettled(status) && status !== 'refunded');
    if (settled) {
      const amount = fact.payment_status === 'unpaid' ? settled.amountMinor : refundMinor;
      await this.refund(tx, payable, settled, amount, reason);
    }
    await tx.update(Payable, payable.id, { state: 'closed' });
  }

  /** Ends a payment that waited too long; the row must be locked. */
  async expire(tx: EntityManager, payable: Payable, payment: Payment): Promise<void> {
    const status = nextPaymentState(payment.status, 'expire');
    if (!status) return;
    await this.change(tx, payment, { status });
    await this.tell(tx, paymentExpired, payable, payment);
  }

  /** Gives back what is left of a payment, at most `amountMinor`. */
  private async refund(
    tx: EntityManager,
    payable: Payable,
    payment: Payment,
    amountMinor: number,
    reason: RefundReason,
  ): Promise<void> {
    const amount = Math.min(amountMinor, payment.amountMinor - payment.refundedMinor);
    if (amount <= 0) return;
    const refundedMinor = payment.refundedMinor + amount;
    const action = refundedMinor === payment.amountMinor ? 'refund' : 'refundPartially';
    const status = nextPaymentState(payment.status, action);
    if (!status) return;

    await this.change(tx, payment, { status, refundedMinor });
    await tx.insert(Refund, {
      paymentId: payment.id,
      amountMinor: amount,
      reason,
      createdAt: this.clock.now(),
    });
    await this.ledger.post(tx, {
      kind: 'refund',
      paymentId: payment.id,
      currency: payment.currency,
      postings: refundPostings({
        provider: payment.provider,
        mentorUserId: payable.mentorUserId,
        amountMinor: amount,
      }),
    });
    await this.outbox.add(tx, paymentRefunded, payment.id, {
      ...paymentFact(payable, payment),
      refunded_minor: amount,
    });
  }

  private async lock(
    tx: EntityManager,
    { provider, reference }: ProviderEvent,
  ): Promise<{ payable: Payable; payment: Payment }> {
    const found = await tx.findOneBy(Payment, { provider, providerReference: reference });
    if (!found) throw CodedError.notFound('The payment');
    const lock = { mode: 'pessimistic_write' } as const;
    const payable = await tx.findOneOrFail(Payable, { where: { id: found.payableId }, lock });
    const payment = await tx.findOneOrFail(Payment, { where: { id: found.id }, lock });
    return { payable, payment };
  }

  private async change(
    tx: EntityManager,
    payment: Payment,
    values: Partial<Pick<Payment, 'status' | 'refundedMinor'>>,
  ): Promise<void> {
    const updatedAt = this.clock.now();
    await tx.update(Payment, payment.id, { ...values, updatedAt });
    Object.assign(payment, values, { updatedAt });
  }

  private tell(
    tx: EntityManager,
    event: EventContract<PaymentFact>,
    payable: Payable,
    payment: Payment,
  ): Promise<void> {
    return this.outbox.add(tx, event, payment.id, paymentFact(payable, payment));
  }
}
