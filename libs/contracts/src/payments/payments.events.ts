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

export interface PaymentSucceeded extends PaymentFact {
  /**
   * Whether it pays the booking: false when it came too late, or after another payment, and is refunded at once. Absent
   * in events of versions that did not say.
   */
  kept?: boolean;
}

export const paymentSucceeded = event<PaymentSucceeded>('payments.payment.succeeded');
export const paymentFailed = event<PaymentFact>('payments.payment.failed');
export const paymentExpired = event<PaymentFact>('payments.payment.expired');
export const paymentRefunded = event<PaymentFact & { refunded_minor: number }>(
  'payments.payment.refunded',
);
