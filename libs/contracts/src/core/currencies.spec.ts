import { describe, expect, it } from 'vitest';
import { decimalsOf, isCurrency } from './currencies.js';

describe('a currency', () => {
  it.each([
    ['JPY', 0],
    ['KRW', 0],
    ['RUB', 2],
    ['EUR', 2],
    ['BHD', 3],
    ['KWD', 3],
    ['CLF', 4],
    // Two for the standard, none in the price lists that ICU follows.
    ['IDR', 2],
    ['IQD', 3],
  ])('%s has as many decimals as ISO 4217 says: %i', (currency, decimals) => {
    expect(decimalsOf(currency)).toBe(decimals);
  });

  it.each(['rub', 'ABC', '', 'constructor'])('is not %j', (code) => {
    expect(isCurrency(code)).toBe(false);
    expect(() => decimalsOf(code)).toThrow(RangeError);
  });
});
