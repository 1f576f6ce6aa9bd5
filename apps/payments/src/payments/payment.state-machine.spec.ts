import { type PaymentState } from '@mentorhub/contracts';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isCaptured,
  nextPaymentState,
  type PaymentAction,
  paymentTransitions,
} from './payment.state-machine.js';

const actions: PaymentAction[] = ['succeed', 'fail', 'expire', 'refund', 'refundPartially'];

describe('the states of a payment', () => {
  it.each<[PaymentState, PaymentAction, PaymentState]>([
    ['pending', 'succeed', 'succeeded'],
    ['pending', 'fail', 'failed'],
    ['pending', 'expire', 'expired'],
    ['expired', 'succeed', 'succeeded'],
    ['failed', 'succeed', 'succeeded'],
    ['succeeded', 'refund', 'refunded'],
    ['succeeded', 'refundPartially', 'partially_refunded'],
    ['partially_refunded', 'refundPartially', 'partially_refunded'],
    ['partially_refunded', 'refund', 'refunded'],
  ])('a %s payment can %s and is then %s', (state, action, next) => {
    expect(nextPaymentState(state, action)).toBe(next);
  });

  it.each<[PaymentState, PaymentAction]>([
    ['pending', 'refund'],
    ['pending', 'refundPartially'],
    ['succeeded', 'succeed'],
    ['succeeded', 'fail'],
    ['succeeded', 'expire'],
    ['failed', 'fail'],
    ['failed', 'expire'],
    ['failed', 'refund'],
    ['expired', 'fail'],
    ['expired', 'refund'],
    ['refunded', 'succeed'],
    ['refunded', 'refund'],
  ])('a %s payment cannot %s', (state, action) => {
    expect(nextPaymentState(state, action)).toBeUndefined();
  });

  it('money that was taken is never forgotten, whatever is reported afterwards', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...actions)), (reports) => {
        let state: PaymentState = 'pending';
        let taken = false;
        for (const action of reports) {
          state = nextPaymentState(state, action) ?? state;
          taken ||= action === 'succeed';
          expect(isCaptured(state)).toBe(taken);
        }
      }),
    );
  });

  it('every state can be left or is the end of the story', () => {
    const ends = Object.entries(paymentTransitions)
      .filter(([, next]) => Object.keys(next).length === 0)
      .map(([state]) => state);
    expect(ends).toEqual(['refunded']);
  });
});
