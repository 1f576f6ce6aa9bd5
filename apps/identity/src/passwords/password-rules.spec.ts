import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { passwordFault } from './password-rules.js';

const owner = { email: 'ada.lovelace@example.com', fullName: 'Ada Lovelace' };

describe('a new password', () => {
  it.each([
    ['eight characters', 'kT9 zq#w'],
    ['64 characters', randomBytes(32).toString('hex')],
    ['256 characters', randomBytes(128).toString('hex')],
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
    expect(passwordFault(randomBytes(129).toString('hex'), owner)).toMatch(/at most 256/);
  });

  it.each(['password', 'Password', '12345678', 'qwertyuiop', 'iloveyou', 'trustno1', 'liverpool'])(
    'is refused with the reason when it is as common as %s',
    (password) => {
      expect(passwordFault(password, owner)).toMatch(/most common/);
    },
  );

  it.each([
    'aaaaaaaa',
    'AAAAAAAA',
    '11111111111',
    'abababab',
    'abcabcabc',
    'hqkhqkhqk',
    '12341234',
    'Password1!',
    'Password1',
    'password2024!',
    'P@ssw0rd!',
    'p4ssw0rd123',
    'Welcome1!',
    '!!Dragon99',
    '12345678',
    '123456789012',
    '87654321',
    'abcdefgh',
    'qwertyui',
    'Qwertz12!',
    'qwer1234',
    'asdfasdf',
    '1q2w3e4r5t',
    'йцукенгш',
    'aaa111bbb',
    'admin123!',
    '!@#$%^&*',
  ])('is refused when it is a common word or a simple pattern, such as %s', (password) => {
    expect(passwordFault(password, owner)).toMatch(/tried first/);
  });

  it.each([
    'gondel-wiese',
    'Rabe und Wiese',
    'abcd-raven-1234',
    'xk7!password',
    'tr0ub4dor&3x',
    'hello world again',
  ])('may hold a common word among others: %s', (password) => {
    expect(passwordFault(password, owner)).toBeUndefined();
  });

  it.each(['ada.lovelace@example.com', 'adalovelace', 'Ada Lovelace', 'MentorHub'])(
    'must not be the name or address: %s',
    (password) => {
      expect(passwordFault(password, owner)).toMatch(/own name or address/);
    },
  );
});
