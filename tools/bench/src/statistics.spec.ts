import { describe, expect, it } from 'vitest';
import { quantile, spread } from './statistics.js';

describe('statistics', () => {
  const values = [5, 1, 4, 2, 3];

  it('take quantiles of unsorted values', () => {
    expect(quantile(values, 0.5)).toBe(3);
    expect(quantile(values, 0.99)).toBe(5);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('show the middle and the extremes of the rounds', () => {
    expect(spread(values)).toEqual({ median: 3, lowest: 1, highest: 5 });
  });
});
