import { expect, it } from 'vitest';
import { fitting } from './page-bytes.js';

it('takes what fits as JSON, where quotes and control characters are longer', () => {
  expect(fitting(['ab', 'cd', 'ef'], 10)).toEqual(['ab', 'cd']);
  expect(fitting(['я', 'я', 'я'], 10)).toEqual(['я', 'я']);
  expect(fitting(['"', '"', '"'], 10)).toEqual(['"', '"']);
  expect(fitting(['\u0001', 'a'], 10)).toEqual(['\u0001']);
});

it('takes one item that alone is over the budget, and only that one', () => {
  expect(fitting(['x'.repeat(100), 'y'], 10)).toEqual(['x'.repeat(100)]);
  expect(fitting([], 10)).toEqual([]);
});
