import type { DemoPayment } from '@mentorhub/contracts/demo-data';
import { FixedClock } from '@mentorhub/service-kit';
import type { EntityManager } from 'typeorm';
import { AmountDue } from '../amounts-due/amount-due.entity.js';
import { Ledger } from '../ledger/ledger.js';
import { capturePostings, refundPostings } from '../ledger/postings.js';
import { sandboxReference } from '../payments/payment-id.js';
import { Payment } from '../payments/payment.entity.js';
import { Refund } from '../payments/refund.entity.js';

/** Creates the payments that are not there yet, with their amounts due, refunds and ledger. Resolves to how many. */
export async function seedPayments(
  tx: EntityManager,
  payments: readonly DemoPayment[],
): Promise<{ payments: number }> {
  const present = await tx.query<{ id: string }[]>(
    `SELECT id FROM payments WHERE id LIKE 'pm_demo%'`,
  );
  const known = new Set(present.map(({ id }) => id));
  const missing = payments.filter(({ payment_id }) => !known.has(payment_id));
  for (const payment of missing) await seedPayment(tx, payment);
  return { payments: missing.length };
}

async function seedPayment(tx: EntityManager, demo: DemoPayment): Promise<void> {
  const { payment_id: id, amount_minor: amountMinor, refunded_minor: refundedMinor } = demo;
  const { currency } = demo;
  const paidAt = new Date(demo.paid_at);
  const refundedAt = new Date(demo.refunded_at ?? demo.paid_at);
  const { identifiers } = await tx.insert(AmountDue, {
    bookingId: demo.booking_id,
    checkoutId: demo.checkout_id,
    userId: demo.mentee_user_id,
    mentorUserId: demo.mentor_user_id,
    amountMinor,
    currency,
    description: demo.topic,
    expiresAt: new Date(paidAt.getTime() + 15 * 60_000),
    state: refundedMinor > 0 ? 'closed' : 'paid',
  });
  await tx.insert(Payment, {
    id,
    amountDueId: (identifiers[0] as { id: number }).id,
    userId: demo.mentee_user_id,
    provider: 'sandbox',
    providerReference: sandboxReference(id),
    method: 'card',
    amountMinor,
    refundedMinor,
    currency,
    status: statusOf(demo),
    expiresAt: new Date(paidAt.getTime() + 15 * 60_000),
    createdAt: paidAt,
    updatedAt: refundedAt,
  });
  const move = { provider: 'sandbox', mentorUserId: demo.mentor_user_id };
  await new Ledger(new FixedClock(paidAt)).post(tx, {
    kind: 'capture',
    paymentId: id,
    currency,
    postings: capturePostings({ ...move, amountMinor }),
  });
  if (refundedMinor === 0) return;
  await tx.insert(Refund, {
    paymentId: id,
    amountMinor: refundedMinor,
    reason: 'booking_cancelled',
    createdAt: refundedAt,
  });
  await new Ledger(new FixedClock(refundedAt)).post(tx, {
    kind: 'refund',
    paymentId: id,
    currency,
    postings: refundPostings({ ...move, amountMinor: refundedMinor }),
  });
}

function statusOf({ amount_minor, refunded_minor }: DemoPayment): Payment['status'] {
  if (refunded_minor === 0) return 'succeeded';
  return refunded_minor === amount_minor ? 'refunded' : 'partially_refunded';
}
