import { readFileSync } from 'node:fs';

/*
 * The 10 000 commonest passwords of 8 and more characters (shorter ones are refused for their length), in lower case,
 * one a line, commonest first. Taken from the password list of @zxcvbn-ts/language-common 4.1.3; see
 * data/common-passwords.LICENSE.
 */
const file = new URL('../../data/common-passwords.txt', import.meta.url);

const commonest = new Set(readFileSync(file, 'utf8').trimEnd().split('\n'));

/** Whether a password is among those that are tried first, in any case. */
export function isCommonPassword(password: string): boolean {
  return commonest.has(password.toLowerCase());
}
