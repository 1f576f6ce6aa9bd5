import { expect, it } from 'vitest';
import { TokenBucket } from './token-bucket.js';

it('lets a burst through at once, and then as many as time brings back', () => {
  const bucket = new TokenBucket(40, 2, 0);
  const take = (count: number, now: number) =>
    Array.from({ length: count }, () => bucket.take(now)).filter(Boolean).length;

  expect(take(100, 0)).toBe(40);
  expect(take(100, 10_000)).toBe(20);
  expect(take(100, 10_400)).toBe(0);
  expect(take(100, 10_500)).toBe(1);
  expect(take(100, 1_000_000)).toBe(40);
});
