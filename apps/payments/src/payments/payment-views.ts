import { type CreatedPayment, type PaymentView, toMajor } from '@mentorhub/contracts';
import type { AmountDue } from '../amounts-due/amount-due.entity.js';
import type { Payment } from './payment.entity.js';

export function paymentView(amountDue: AmountDue, payment: Payment): PaymentView {
  return {
    id: payment.id,
    session_id: amountDue.bookingId,
    amount: toMajor(payment.amountMinor, payment.currency),
    currency: payment.currency,
    status: payment.status,
    description: amountDue.description,
    created_at: payment.createdAt.toISOString(),
  };
}

/** `paymentUrl` is the page where it can be paid. */
export function createdPayment(payment: Payment, paymentUrl: string): CreatedPayment {
  return {
    payment_id: payment.id,
    amount: toMajor(payment.amountMinor, payment.currency),
    currency: payment.currency,
    status: payment.status,
    payment_url: paymentUrl,
    expires_at: payment.expiresAt.toISOString(),
  };
}
