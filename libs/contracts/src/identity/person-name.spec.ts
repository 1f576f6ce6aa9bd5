import 'reflect-metadata';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { RegisterUser, UpdateProfile } from '../dto.js';

/** The messages about a name, at registration and in a change of the profile. */
function faults(full_name: string): string[] {
  const registration = {
    email: 'ada@example.com',
    password: 'gondel wiese rabe',
    role: 'student',
    full_name,
  };
  return [
    ...validateSync(plainToInstance(RegisterUser, registration)),
    ...validateSync(plainToInstance(UpdateProfile, { full_name })),
  ].flatMap(({ constraints }) => Object.values(constraints ?? {}));
}

describe('a name', () => {
  it.each([
    'Ada Lovelace',
    "Siobhán O'Neill-García",
    'J. R. R. Tolkien',
    'J.R.R. Tolkien',
    'Dr. Anna Weiß, Ph.D.',
    'Анна Соколова',
    '山田 太郎',
    'علی\u200Cرضا',
    'X Æ A-12',
  ])('may be %s', (name) => {
    expect(faults(name)).toEqual([]);
  });

  it.each([
    'Win https://evil.example now',
    'Visit evil.example',
    'www.evil.example',
    't.me/evil',
    'evil。com',
    'mail me@evil.example',
    'a//b',
  ])('holds no address: %s', (name) => {
    expect(faults(name)).toEqual([
      expect.stringContaining('without web or email addresses'),
      expect.stringContaining('without web or email addresses'),
    ]);
  });

  it.each([
    'Ada\r\nBcc: all@example.com',
    'Ada\nLovelace',
    'Ada\u0007',
    'Ada\u2028Lovelace',
    'Ada \u202Eecalevol',
    'Ada\u2066',
  ])('holds no control character: %j', (name) => {
    expect(faults(name)).toContainEqual(expect.stringContaining('control characters'));
  });
});
