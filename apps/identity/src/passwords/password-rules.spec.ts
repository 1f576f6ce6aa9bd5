import { describe, expect, it } from 'vitest';
import { passwordFault } from './password-rules.js';

const owner = { email: 'ada.lovelace@example.com', fullName: 'Ada Lovelace' };

describe('a new password', () => {
  it.each([
    ['eight characters', 'kT9 zq#w'],
    ['64 characters', 'x7'.repeat(32)],
    ['256 characters', 'y8'.repeat(128)],
    ['only small letters', 'gondelwieserabe'],
    ['Cyrillic', 'зелёный самовар'],
    ['emoji', '🦊🌲🎻🧊🚲🪁🧭🫖'],
  ])('may be %s', (_, password) => {
    expect(passwordFault(password, owner)).toBeUndefined();
  });

  it('must have 8 characters', () => {
    expect(passwordFault('kT9 zq#', owner)).toMatch(/at least 8/);
  });

  it('must have at most 256 characters', () => {
    expect(passwordFault('y8'.repeat(129), owner)).toMatch(/at most 256/);
  });

  it.each(['password', 'Password', '12345678', 'qwertyuiop', 'iloveyou', 'trustno1', 'liverpool'])(
    'is refused with the reason when it is as common as %s',
    (password) => {
      expect(passwordFault(password, owner)).toMatch(/most common/);
    },
  );

  it.each(['ada.lovelace@example.com', 'adalovelace', 'Ada Lovelace', 'MentorHub'])(
    'must not be the name or address: %s',
    (password) => {
      expect(passwordFault(password, owner)).toMatch(/own name or address/);
    },
  );
});
