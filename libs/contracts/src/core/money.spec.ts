import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toMajor, toMinor } from './money.js';

describe('an amount', () => {
  it.each([
    ['JPY', 3000, 3000],
    ['RUB', 300_050, 3000.5],
    ['KWD', 3_000_125, 3000.125],
  ])('of %s has as many decimals as the currency', (currency, minor, major) => {
    expect(toMajor(minor, currency)).toBe(major);
    expect(toMinor(major, currency)).toBe(minor);
  });

  it('with more decimals than the currency is rounded to the nearest unit', () => {
    expect(toMinor(10.4, 'JPY')).toBe(10);
    expect(toMinor(0.29, 'RUB')).toBe(29);
    expect(toMinor(1.0006, 'KWD')).toBe(1001);
  });

  it('comes back from the wire as it was stored', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('JPY', 'RUB', 'KWD'),
        fc.integer({ min: 0, max: 1e12 }),
        (currency, minor) => {
          expect(toMinor(toMajor(minor, currency), currency)).toBe(minor);
        },
      ),
    );
  });
});
