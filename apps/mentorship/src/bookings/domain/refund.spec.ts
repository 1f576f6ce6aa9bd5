import { describe, expect, it } from 'vitest';
import { priceOf, refundOnCancellation, refundOnNoShow } from './refund.js';

const startsAt = new Date('2026-11-25T15:00:00Z');
const paidMinor = 300_001;

describe('the refund', () => {
  it.for([
    ['mentor', '2026-11-25T15:30:00Z', 300_001, 'the mentor cancels, even after the start'],
    ['mentee', '2026-11-24T15:00:00Z', 300_001, 'the mentee cancels 24 hours ahead'],
    ['mentee', '2026-11-24T15:00:01Z', 150_001, 'the mentee cancels later than that'],
    ['mentee', '2026-11-25T14:59:59Z', 150_001, 'the mentee cancels just before the start'],
    ['mentee', '2026-11-25T15:00:00Z', 0, 'the mentee cancels from the start on'],
  ] as const)('of a cancellation by the %s at %s is %i: %s', ([by, now, refund]) => {
    const cancellation = { by, confirmed: true, startsAt, now: new Date(now), paidMinor };
    expect(refundOnCancellation(cancellation)).toBe(refund);
  });

  it('of what was never paid is nothing', () => {
    const now = new Date('2026-11-01T00:00:00Z');
    const cancellation = { by: 'mentor', confirmed: true, startsAt, now, paidMinor: 0 } as const;
    expect(refundOnCancellation(cancellation)).toBe(0);
  });

  it.for(['mentor', 'mentee'] as const)(
    'of a request that was not confirmed yet is everything, when the %s cancels it',
    (by) => {
      const now = new Date(startsAt.getTime() - 1);
      const cancellation = { by, confirmed: false, startsAt, now, paidMinor };
      expect(refundOnCancellation(cancellation)).toBe(paidMinor);
    },
  );

  it('of a missed session is everything when the mentor was absent, else nothing', () => {
    expect(refundOnNoShow('mentor', paidMinor)).toBe(paidMinor);
    expect(refundOnNoShow('mentee', paidMinor)).toBe(0);
  });
});

describe('the price', () => {
  it('follows the length of the session', () => {
    expect([30, 60, 90].map((minutes) => priceOf(250_001, minutes))).toEqual([
      125_001, 250_001, 375_002,
    ]);
  });
});
