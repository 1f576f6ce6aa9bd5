import { describe, expect, it } from 'vitest';
import { requestIdOf } from './request-id.js';

describe('the id of a request', () => {
  it.each(['a', 'Trace_1.a-b', 'x'.repeat(128)])("is the client's own: %s", (id) => {
    expect(requestIdOf({ headers: { 'x-request-id': id } })).toBe(id);
  });

  it.each([undefined, '', 'x'.repeat(129), 'a b', 'a:b', 'a\n', '<b>', ['a', 'b']])(
    'is a fresh one instead of %j',
    (sent) => {
      const request = { headers: { 'x-request-id': sent } };
      expect(requestIdOf(request)).toMatch(/^[\da-f]{8}-[\da-f-]{27}$/);
      expect(requestIdOf(request)).not.toBe(requestIdOf(request));
    },
  );
});
