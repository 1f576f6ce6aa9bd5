import { describe, expect, it } from 'vitest';
import { SnakeNamingStrategy } from './snake-naming-strategy.js';

describe('SnakeNamingStrategy', () => {
  const names = new SnakeNamingStrategy();

  it.each([
    ['fullName', 'full_name'],
    ['id', 'id'],
    ['avatarURL', 'avatar_url'],
    ['HTMLBody', 'html_body'],
    ['line2Text', 'line2_text'],
  ])('names the column of %s %s', (property, column) => {
    expect(names.columnName(property, undefined, [])).toBe(column);
  });

  it('keeps a name that an entity states', () => {
    expect(names.columnName('fullName', 'FN', [])).toBe('FN');
    expect(names.tableName('Person', 'people')).toBe('people');
  });

  it('prefixes the columns of an embedded value', () => {
    expect(names.columnName('endsAt', undefined, ['timeRange'])).toBe('time_range_ends_at');
  });

  it('names the column of a relation after the relation', () => {
    expect(names.joinColumnName('bookedBy', 'id')).toBe('booked_by_id');
  });
});
