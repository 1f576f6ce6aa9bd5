import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common';
import { russianKeyboard, russianWords } from './russian-patterns.js';

/** Fewer guesses than this is what the library calls very weak or weak. */
const fewestGuesses = 1e6;

/**
 * The time of a check grows with the length and with the substitutions tried, up to 0.2 s for 128 characters at the
 * library's defaults; so it sees at most this many characters at once, and tries this many substitutions.
 */
const longestSample = 24;
const mostSubstitutions = 4;

/** What guessing programs put before and behind a word: `Password1!`, `welcome2024!`, and how often they have to try. */
const mostDecoration = 6;
const decorationGuesses = 50;
/** Shorter ones stand at the edge of too many good passwords by chance. */
const shortestWord = 4;

const estimator = new ZxcvbnFactory({
  dictionary: { ...dictionary, 'words-ru': russianWords },
  graphs: { ...adjacencyGraphs, russian: russianKeyboard() },
  l33tMaxSubstitutions: mostSubstitutions,
  maxLength: longestSample,
});

/**
 * Whether a password is among those that are tried first: one of the lists of common and breached passwords, also with
 * capitals, other characters for letters (`p@ssw0rd`), backwards or with digits and signs around it; or a repetition, a
 * date, a run along the alphabet or a keyboard, and few of these in a row.
 */
export function isEasyToGuess(password: string): boolean {
  return samplesOf(password.normalize('NFKC')).every((sample) => guessesOf(sample) < fewestGuesses);
}

/** A part that is hard to guess makes the whole so. */
function samplesOf(password: string): string[] {
  return password.length <= longestSample
    ? [password]
    : [password.slice(0, longestSample), password.slice(-longestSample)];
}

function guessesOf(sample: string): number {
  const { guesses } = estimator.check(sample);
  const word = sample.replaceAll(/^[^\p{L}]+|[^\p{L}]+$/gu, '');
  const decoration = sample.length - word.length;
  if (decoration === 0 || decoration > mostDecoration || word.length < shortestWord) return guesses;
  const { guesses: wordGuesses } = estimator.check(word);
  return isKnown(word, wordGuesses) ? Math.min(guesses, wordGuesses * decorationGuesses) : guesses;
}

/** Where it recognizes nothing, the library counts ten guesses a character. */
function isKnown(word: string, guesses: number): boolean {
  return guesses < 10 ** word.length;
}
