import { describe, expect, it } from 'vitest';
import { toJsonSchema } from './json-schema.js';

describe('toJsonSchema', () => {
  it('lets a typed value be null', () => {
    expect(toJsonSchema({ type: 'string', nullable: true, maxLength: 3 })).toEqual({
      type: ['string', 'null'],
      maxLength: 3,
    });
  });

  it('adds null to the words of an enumeration', () => {
    expect(toJsonSchema({ type: 'string', enum: ['a'], nullable: true })).toEqual({
      type: ['string', 'null'],
      enum: ['a', null],
    });
  });

  it('lets a referred object be null', () => {
    expect(toJsonSchema({ allOf: [{ $ref: '#/x' }], nullable: true, description: 'X.' })).toEqual({
      description: 'X.',
      anyOf: [{ allOf: [{ $ref: '#/x' }] }, { type: 'null' }],
    });
  });

  it('keeps a property that is called nullable', () => {
    const schema = { properties: { nullable: { type: 'boolean' } } };
    expect(toJsonSchema(schema)).toEqual(schema);
  });
});
