import { randomInt } from 'node:crypto';
import { isReservedUsername } from './reserved-usernames.js';
import transliterate from '@sindresorhus/transliterate';

const longestBase = 26;

/** A public handle made from a name: “Анна Соколова” → `anna.sokolova`. Always a valid username. */
export function usernameFrom(fullName: string): string {
  const base = transliterate(fullName)
    .toLowerCase()
    .replaceAll(/['’]/g, '')
    .replaceAll(/[^a-z0-9]+/g, '.')
    .slice(0, longestBase)
    .replaceAll(/^\.+|\.+$/g, '');
  return base.length >= 3 ? base : `user${base}`;
}

/** Handles to try one after the other, as long as they are taken; reserved ones for administrators only. */
export function* usernameCandidates(fullName: string, isAdmin = false): Generator<string, void> {
  const ownName = usernameFrom(fullName);
  const base = !isAdmin && isReservedUsername(ownName) ? 'user' : ownName;
  yield base;
  for (const digits of [2, 3, 4, 4, 5, 5])
    yield `${base}${randomInt(10 ** (digits - 1), 10 ** digits)}`;
}
