import { describe, expect, it } from 'vitest';
import { timeZoneOf } from './time.js';

describe('a stored time zone', () => {
  it.each([
    ['Europe/Berlin', 'Europe/Berlin'],
    ['PST', 'America/Los_Angeles'],
    ['JST', 'Asia/Tokyo'],
    ['+02:00', 'UTC'],
    ['Mars/Olympus', 'UTC'],
    ['', 'UTC'],
  ])('%j is computed with as %s', (stored, read) => {
    expect(timeZoneOf(stored)).toBe(read);
    expect(() => new Temporal.ZonedDateTime(0n, timeZoneOf(stored))).not.toThrow();
  });

  it('that Intl knows is always one to compute with', () => {
    for (const stored of ['ACT', 'AET', 'AGT', 'ART', 'AST', 'BET', 'BST', 'CAT', 'CNT', 'CST']) {
      expect(() => new Temporal.ZonedDateTime(0n, timeZoneOf(stored))).not.toThrow();
    }
  });
});
