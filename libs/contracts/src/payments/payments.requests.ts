import type { PageQuery } from '../core/page.dto.js';
import { idField } from '../core/field-checks.js';
import { request } from '../core/request.js';
import type { BookingFact } from '../mentorship/mentorship.events.js';
import type {
  CreatedPayment,
  CreatePayment,
  PaymentPage,
  PaymentState,
  PaymentView,
  SandboxOutcome,
} from './payments.dto.js';

/** What the hosted checkout page of the sandbox provider shows. */
export interface CheckoutView {
  checkout_id: string;
  description: string;
  amount_minor: number;
  currency: string;
  status: PaymentState;
  /** RFC 3339. */
  expires_at: string;
}

export const Payments = {
  create: request.user<CreatePayment, CreatedPayment>('payments.payments.create'),
  history: request.user<PageQuery, PaymentPage>('payments.payments.history'),
  get: request.user<{ id: string }, PaymentView>('payments.payments.get'),
  /** Exists only with the sandbox provider. */
  completeSandbox: request.user<{ id: string; outcome: SandboxOutcome }, PaymentView>(
    'payments.payments.complete_sandbox',
  ),
};

/** The sandbox provider's checkout page; anyone who knows the unguessable id may pay. */
export const Checkout = {
  view: request.public<{ checkout_id: string }, CheckoutView>('payments.checkout.view'),
  complete: request.public<{ checkout_id: string; outcome: SandboxOutcome }, CheckoutView>(
    'payments.checkout.complete',
  ),
};

/** Whether the amount due of a booking was closed unpaid, or turned out to be paid. */
export interface AmountDueClosing {
  outcome: 'closed' | 'paid';
}

/** What users owe for bookings, for mentorship. */
export const AmountsDue = {
  /**
   * Closes the amount due of an unpaid booking, also one that payments does not know yet. After `closed`, money that
   * still comes is refunded; after `paid`, nothing has changed. Asking again gets the same answer.
   */
  close: request.service<BookingFact, AmountDueClosing>('payments.amounts_due.close', {
    deadlineMs: 2000,
    fields: { booking_id: idField },
  }),
};
