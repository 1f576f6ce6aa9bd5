import { readFileSync } from 'node:fs';

/*
 * The 10 000 commonest passwords of 8 and more characters (shorter ones are refused for their length), in lower case,
 * one a line, commonest first. Taken from the password list of @zxcvbn-ts/language-common 4.1.3; see
 * data/common-passwords.LICENSE.
 */
const file = new URL('../../data/common-passwords.txt', import.meta.url);

const commonest = new Set(readFileSync(file, 'utf8').trimEnd().split('\n'));

/** Shorter words are part of too many good passwords. */
const shortestWord = 4;

/** The words in the list, without the digits and signs before and after them: `welcome1` has `welcome`. */
const commonWords = new Set(
  [...commonest].map(wordOf).filter((word) => word.length >= shortestWord),
);

/** What guessing programs put before and behind a common word: `Password1!`, `welcome2024!`. */
const mostDecoration = 6;

/** Characters that stand next to each other in an alphabet or on a keyboard. */
const rows = [
  'abcdefghijklmnopqrstuvwxyz',
  'абвгдеёжзийклмнопрстуфхцчшщъыьэюя',
  '01234567890',
  '!@#$%^&*()',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwertzuiop',
  'azertyuiop',
  'йцукенгшщзхъ',
  'фывапролджэ',
  'ячсмитьбю',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm',
  'qazwsxedcrfvtgbyhnujm',
  '1q2w3e4r5t6y7u8i9o0p',
];
const neighbours = new Set(
  rows.flatMap((row) => [...pairsOf(row), ...pairsOf(Array.from(row).toReversed().join(''))]),
);
const shortestRun = 3;
const mostRuns = 3;

const letterFor: Record<string, string> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '8': 'b',
  '@': 'a',
  $: 's',
  '!': 'i',
};

/**
 * Whether a password is among those that are tried first: a common one, also with capitals, other characters for
 * letters (`p@ssw0rd`) or digits and signs around it (`Password1!`); one that repeats itself (`aaaaaaaa`,
 * `abcabcabc`); or one of a few runs along the alphabet or a keyboard (`qwer1234`).
 */
export function isEasyPassword(password: string): boolean {
  const plain = password.toLowerCase();
  return isCommon(plain) || repeatsItself(plain) || isRuns(plain);
}

function isCommon(plain: string): boolean {
  const spellings = [plain, plain.replace(/[^\p{L}]+$/u, ''), wordOf(plain)].flatMap((core) => [
    core,
    withLetters(core),
  ]);
  return spellings.some(
    (core) =>
      commonest.has(core) ||
      (plain.length - core.length <= mostDecoration &&
        (commonWords.has(core) || (core.length >= shortestWord && isRuns(core)))),
  );
}

/** Without the digits and signs before and after. */
function wordOf(password: string): string {
  return password.replaceAll(/^[^\p{L}]+|[^\p{L}]+$/gu, '');
}

function withLetters(text: string): string {
  return text.replaceAll(/[0134578@$!]/g, (character) => letterFor[character] ?? character);
}

/** The same up to four characters again and again, the last time perhaps in part. */
function repeatsItself(plain: string): boolean {
  const characters = Array.from(plain);
  return [1, 2, 3, 4].some(
    (period) =>
      characters.length >= 2 * period &&
      characters.every((character, index) => character === characters[index % period]),
  );
}

/** Nothing but a few runs, each of at least three characters. */
function isRuns(plain: string): boolean {
  const characters = Array.from(plain);
  let runs = 0;
  for (let start = 0; start < characters.length; runs++) {
    const end = Math.max(
      endOfRun(characters, start, (one, next) => one === next),
      endOfRun(characters, start, (one, next) => neighbours.has(one + next)),
    );
    if (end - start < shortestRun) return false;
    start = end;
  }
  return runs > 0 && runs <= mostRuns;
}

function endOfRun(
  characters: readonly string[],
  start: number,
  follows: (one: string, next: string) => boolean,
): number {
  let end = start + 1;
  while (end < characters.length && follows(characters[end - 1]!, characters[end]!)) end++;
  return end;
}

function pairsOf(row: string): string[] {
  const characters = Array.from(row);
  return characters.slice(1).map((character, index) => characters[index]! + character);
}
