import type { PaymentState } from '@mentorhub/contracts';

export type PaymentAction = 'succeed' | 'fail' | 'expire' | 'refund' | 'refundPartially';

/**
 * What may happen to a payment. Providers report late and out of order: a success that arrives after a failure or after
 * the expiry is money that was taken, so it counts; a failure that arrives after anything else is outdated.
 */
export const paymentTransitions: Record<
  PaymentState,
  Partial<Record<PaymentAction, PaymentState>>
> = {
  pending: { succeed: 'succeeded', fail: 'failed', expire: 'expired' },
  failed: { succeed: 'succeeded' },
  expired: { succeed: 'succeeded' },
  succeeded: { refund: 'refunded', refundPartially: 'partially_refunded' },
  partially_refunded: { refund: 'refunded', refundPartially: 'partially_refunded' },
  refunded: {},
};

/** The state after an action; undefined when the action is not possible in this state. */
export function nextPaymentState(
  state: PaymentState,
  action: PaymentAction,
): PaymentState | undefined {
  return paymentTransitions[state][action];
}

/** Whether money was taken, whatever became of it later. */
export function isCaptured(state: PaymentState): boolean {
  return state === 'succeeded' || state === 'partially_refunded' || state === 'refunded';
}
