import {
  type AmountDueClosing,
  type BookingFact,
  ApplicationError,
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
import { refundPostings, capturePostings } from '../ledger/postings.js';
import { AmountDue } from '../amounts-due/amount-due.entity.js';
import { AmountsDue } from '../amounts-due/amounts-due.service.js';
import type { ProviderEvent } from '../providers/payment-provider.js';
import { Payment } from './payment.entity.js';
import { isCaptured, nextPaymentState } from './payment.state-machine.js';
import { Refund, type RefundReason } from './refund.entity.js';

/** What the payment is about, for events. */
export function paymentFact(amountDue: AmountDue, payment: Payment): PaymentFact {
  return {
    payment_id: payment.id,
    booking_id: amountDue.bookingId,
    user_id: amountDue.userId,
    mentor_user_id: amountDue.mentorUserId,
    amount_minor: payment.amountMinor,
    currency: payment.currency,
    description: amountDue.description,
  };
}

/**
 * Money coming in and going back. Each of them locks the amount due first and its payment second, so that whatever is
 * reported at the same time is decided one after the other.
 */
@Injectable()
export class Captures {
  constructor(
    private readonly transactions: Transactions,
    private readonly amountsDue: AmountsDue,
    private readonly ledger: Ledger,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /**
   * Records what a provider reports: the single entry point, for the sandbox as for webhooks. Repeated reports, and
   * failures that come after anything else, change nothing. Money that comes for a booking that has ended,
   * or has been paid already, is captured and goes back in full.
   *
   * Resolves to the payment as it is afterwards.
   * @throws ApplicationError `NOT_FOUND` for a payment that is not ours, `AMOUNT_MISMATCH` when another amount was taken
   */
  capture(report: ProviderEvent): Promise<Payment> {
    return this.transactions.run(async (tx) => {
      const { amountDue, payment } = await this.lock(tx, report);
      if (
        report.amountMinor !== payment.amountMinor ||
        report.currency.toUpperCase() !== payment.currency
      ) {
        throw new ApplicationError(
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
        await this.publish(tx, paymentFailed, amountDue, payment);
        return payment;
      }

      await this.ledger.post(tx, {
        kind: 'capture',
        paymentId: payment.id,
        currency: payment.currency,
        postings: capturePostings({
          provider: payment.provider,
          mentorUserId: amountDue.mentorUserId,
          amountMinor: payment.amountMinor,
        }),
      });
      const kept = amountDue.state === 'open';
      await this.outbox.add(tx, paymentSucceeded, payment.id, {
        ...paymentFact(amountDue, payment),
        kept,
      });
      if (kept) {
        await tx.update(AmountDue, amountDue.id, { state: 'paid' });
      } else {
        const reason = amountDue.state === 'paid' ? 'paid_twice' : 'paid_too_late';
        await this.refund(tx, amountDue, payment, payment.amountMinor, reason);
      }
      return payment;
    });
  }

  /**
   * Closes the amount due of a booking whose hold is over, unless it is paid: pending payments expire, and whatever
   * is captured later is refunded as too late. The amount due's lock decides between this and a capture.
   */
  closeUnpaid(fact: BookingFact): Promise<AmountDueClosing> {
    return this.transactions.run(async (tx) => {
      const amountDue = await this.amountsDue.lockByBooking(tx, fact);
      if (amountDue?.state === 'paid') return { outcome: 'paid' };
      if (amountDue?.state === 'open') {
        await this.expirePending(tx, amountDue, await this.paymentsOf(tx, amountDue));
        await tx.update(AmountDue, amountDue.id, { state: 'closed' });
      }
      return { outcome: 'closed' };
    });
  }

  /**
   * Closes the amount due of a booking that has ended: its pending payment expires, and of a captured one
   * `refundMinor` is refunded. When mentorship did not know of the payment yet, all of it is: it bought nothing.
   */
  async close(
    tx: EntityManager,
    fact: BookingFact,
    refundMinor: number,
    reason: RefundReason,
  ): Promise<void> {
    const amountDue = await this.amountsDue.lockByBooking(tx, fact);
    if (!amountDue || amountDue.state === 'closed') return;

    const payments = await this.paymentsOf(tx, amountDue);
    await this.expirePending(tx, amountDue, payments);
    const captured = payments.find(({ status }) => isCaptured(status) && status !== 'refunded');
    if (captured) {
      const amount = fact.payment_status === 'unpaid' ? captured.amountMinor : refundMinor;
      await this.refund(tx, amountDue, captured, amount, reason);
    }
    await tx.update(AmountDue, amountDue.id, { state: 'closed' });
  }

  /** Expires a pending payment; the row must be locked. */
  async expire(tx: EntityManager, amountDue: AmountDue, payment: Payment): Promise<void> {
    const status = nextPaymentState(payment.status, 'expire');
    if (!status) return;
    await this.change(tx, payment, { status });
    await this.publish(tx, paymentExpired, amountDue, payment);
  }

  /** The payments of an amount due, locked. */
  private paymentsOf(tx: EntityManager, { id }: AmountDue): Promise<Payment[]> {
    return tx.find(Payment, {
      where: { amountDueId: id },
      order: { createdAt: 'ASC', id: 'ASC' },
      lock: { mode: 'pessimistic_write' },
    });
  }

  private async expirePending(
    tx: EntityManager,
    amountDue: AmountDue,
    payments: readonly Payment[],
  ): Promise<void> {
    for (const payment of payments) {
      if (payment.status === 'pending') await this.expire(tx, amountDue, payment);
    }
  }

  /** Gives back what is left of a payment, at most `amountMinor`. */
  private async refund(
    tx: EntityManager,
    amountDue: AmountDue,
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
        mentorUserId: amountDue.mentorUserId,
        amountMinor: amount,
      }),
    });
    await this.outbox.add(tx, paymentRefunded, payment.id, {
      ...paymentFact(amountDue, payment),
      refunded_minor: amount,
    });
  }

  private async lock(
    tx: EntityManager,
    { provider, reference }: ProviderEvent,
  ): Promise<{ amountDue: AmountDue; payment: Payment }> {
    const found = await tx.findOneBy(Payment, { provider, providerReference: reference });
    if (!found) throw ApplicationError.notFound('The payment');
    const lock = { mode: 'pessimistic_write' } as const;
    const amountDue = await tx.findOneOrFail(AmountDue, { where: { id: found.amountDueId }, lock });
    const payment = await tx.findOneOrFail(Payment, { where: { id: found.id }, lock });
    return { amountDue, payment };
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

  private publish(
    tx: EntityManager,
    event: EventContract<PaymentFact>,
    amountDue: AmountDue,
    payment: Payment,
  ): Promise<void> {
    return this.outbox.add(tx, event, payment.id, paymentFact(amountDue, payment));
  }
}
