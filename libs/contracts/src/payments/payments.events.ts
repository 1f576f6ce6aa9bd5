import { event } from '../core/event.js';

export interface PaymentFact {
  payment_id: string;
  booking_id: number | null;
  /** Who pays. */
  user_id: number;
  /** Who earns. */
  mentor_user_id: number;
  amount_minor: number;
  currency: string;
  description: string;
}

export const paymentCreated = event<PaymentFact>('payments.payment.created');
export const paymentSucceeded = event<PaymentFact>('payments.payment.succeeded');
export const paymentFailed = event<PaymentFact>('payments.payment.failed');
export const paymentExpired = event<PaymentFact>('payments.payment.expired');
export const paymentRefunded = event<PaymentFact & { refunded_minor: number }>(
  'payments.payment.refunded',
);
