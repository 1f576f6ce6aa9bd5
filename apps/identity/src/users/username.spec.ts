import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { usernameCandidates, usernameFrom } from './username.js';

describe('a username made from the name', () => {
  it.each([
    ['Ada Lovelace', 'ada.lovelace'],
    ['Анна Соколова', 'anna.sokolova'],
    ['Щукин Юрий', 'schukin.yuriy'],
    ['Jürgen Groß', 'juergen.gross'],
    ["Siobhán O'Neill", 'siobhan.oneill'],
    ['Li', 'userli'],
    ['***', 'user'],
  ])('reads %s as %s', (name, username) => {
    expect(usernameFrom(name)).toBe(username);
  });

  it('is valid whatever the name, and so is every further candidate', () => {
    assert(
      property(string({ unit: 'grapheme', maxLength: 120 }), (name) => {
        for (const candidate of usernameCandidates(name)) {
          expect(candidate).toMatch(/^[a-z0-9][a-z0-9._-]{2,31}$/);
        }
      }),
    );
  });
});
