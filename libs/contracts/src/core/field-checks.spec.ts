import { describe, expect, it } from 'vitest';
import {
  faultIn,
  flagField,
  idField,
  idsField,
  listField,
  optionalField,
  textField,
} from './field-checks.js';

describe('the fields of a request', () => {
  const fields = {
    id: idField,
    ids: optionalField(idsField(2)),
    name: optionalField(textField(3)),
    reset: optionalField(flagField),
    posts: optionalField(listField(1, { sender_id: idField })),
  };

  it.each([
    { id: 1 },
    { id: 1, ids: [], name: 'abc', posts: [{ sender_id: 2 }], later: 'unknown here' },
    { id: 1, reset: false },
    { id: Number.MAX_SAFE_INTEGER, ids: [1, 2] },
  ])('pass: %j', (request) => {
    expect(faultIn(request, fields)).toBeUndefined();
  });

  it.each([
    [undefined, ''],
    [[], ''],
    ['text', ''],
    [{}, 'id'],
    [{ id: '1' }, 'id'],
    [{ id: 0 }, 'id'],
    [{ id: 1e300 }, 'id'],
    [{ id: 1.5 }, 'id'],
    [{ id: 1, ids: [1, 2, 3] }, 'ids'],
    [{ id: 1, ids: ['1'] }, 'ids'],
    [{ id: 1, ids: null }, 'ids'],
    [{ id: 1, name: '' }, 'name'],
    [{ id: 1, name: 'a\0' }, 'name'],
    [{ id: 1, reset: 'yes' }, 'reset'],
    [{ id: 1, posts: [{}] }, 'posts'],
    [{ id: 1, posts: [{ sender_id: 1 }, { sender_id: 1 }] }, 'posts'],
  ])('are refused: %j', (request, field) => {
    expect(faultIn(request, fields)).toMatchObject({ field });
  });

  it('are not those of the prototype', () => {
    expect(faultIn({}, { constructor: textField(10) })).toMatchObject({ field: 'constructor' });
  });
});
