import { expect, it } from 'vitest';
import { BoundedMap } from './bounded-map.js';

it('forgets what was used longest ago', () => {
  const map = new BoundedMap<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.get('a');
  map.set('c', 3);

  expect(map.get('a')).toBe(1);
  expect(map.get('b')).toBeUndefined();
  expect(map.get('c')).toBe(3);
});
