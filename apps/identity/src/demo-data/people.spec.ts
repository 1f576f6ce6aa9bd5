import { describe, expect, it } from 'vitest';
import { demoPeople } from './people.js';

function idsOf(role: string): number[] {
  return demoPeople.filter((person) => person.role === role).map(({ id }) => id);
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, n) => first + n);
}

describe('the demo people', () => {
  it('are an admin, 50 mentors and 20 mentees under the ids that other services refer to', () => {
    expect(idsOf('admin')).toEqual([1]);
    expect(idsOf('mentor')).toEqual(range(2, 50));
    expect(idsOf('mentee')).toEqual(range(52, 20));
  });

  it('have addresses and usernames of their own', () => {
    expect(new Set(demoPeople.map(({ email }) => email)).size).toBe(demoPeople.length);
    expect(new Set(demoPeople.map(({ username }) => username)).size).toBe(demoPeople.length);
  });

  it('mostly have an avatar, of their own', () => {
    const seeds = demoPeople.flatMap(({ avatarSeed }) => avatarSeed ?? []);
    expect(seeds).toHaveLength(59);
    expect(new Set(seeds).size).toBe(seeds.length);
    // What the gateway takes.
    expect(seeds.filter((seed) => !/^[a-z\d_-]{1,64}$/.test(seed))).toEqual([]);
  });

  it('live in zones that exist', () => {
    for (const { timezone } of demoPeople) {
      expect(() => new Intl.DateTimeFormat('en', { timeZone: timezone })).not.toThrow();
    }
  });
});
