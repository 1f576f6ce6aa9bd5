import { describe, expect, it } from 'vitest';
import { priceOf, refundOnCancellation } from './refund.js';

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
    expect(refundOnCancellation({ by, startsAt, now: new Date(now), paidMinor })).toBe(refund);
  });

  it('of what was never paid is nothing', () => {
    const now = new Date('2026-11-01T00:00:00Z');
    expect(refundOnCancellation({ by: 'mentor', startsAt, now, paidMinor: 0 })).toBe(0);
  });
});

describe('the price', () => {
  it('follows the length of the session', () => {
    expect([30, 60, 90].map((minutes) => priceOf(250_001, minutes))).toEqual([
      125_001, 250_001, 375_002,
    ]);
  });
});
