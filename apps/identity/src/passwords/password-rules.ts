import { setImmediate as nextTurn } from 'node:timers/promises';
import transliterate from '@sindresorhus/transliterate';
import { ApplicationError } from '@mentorhub/contracts';

/** Whose password it is: what an attacker who knows the person would try. */
export interface Owner {
  email: string;
  fullName: string;
  username?: string;
}

const shortest = 8;
const longest = 128;
/** Shorter parts of a name are part of too many words. */
const shortestPart = 4;

/**
 * Why a new password is refused, or `undefined`. Length counts, composition does not (NIST SP 800-63B §5.1.1.2,
 * ASVS 6.2): 8 to 128 characters of any kind, not one of those that are tried first, nothing that holds the owner's own
 * name, username or address.
 * @param field the name of the field, for the message
 */
export async function passwordFault(
  password: string,
  owner: Owner,
  field = 'password',
): Promise<string | undefined> {
  const length = Array.from(password).length;
  if (length < shortest) return `${field} must have at least ${shortest} characters.`;
  if (length > longest) return `${field} must have at most ${longest} characters.`;
  if (isAbout(password, owner)) {
    return `${field} must not contain your own name, username or address; choose another, such as a few random words.`;
  }
  // Its word lists take memory that a process which only signs people in does without.
  const { isEasyToGuess } = await import('./password-strength.js');
  // Between two estimates, others have their turn.
  await nextTurn();
  if (isEasyToGuess(password)) {
    return `${field} is among the most common ones or follows a simple pattern, so it is tried first; choose another, such as a few random words.`;
  }
  return undefined;
}

/** @throws ApplicationError VALIDATION_FAILED of the field with the reason when the password is too weak */
export async function checkPassword(
  password: string,
  owner: Owner,
  field = 'password',
): Promise<void> {
  const fault = await passwordFault(password, owner, field);
  if (fault !== undefined) throw ApplicationError.invalid(field, fault);
}

/** Whether a password holds what is known of its owner, whatever the spelling, or is the product's name. */
function isAbout(password: string, owner: Owner): boolean {
  const forms = [folded(password), folded(transliterate(password))];
  return (
    forms.includes(folded('mentorhub')) ||
    partsOf(owner).some((part) => forms.some((form) => form.includes(part)))
  );
}

/** The whole of each name and the words in it, as they look in a folded password. */
function partsOf({ email, fullName, username = '' }: Owner): string[] {
  const names = [email, email.split('@', 1)[0] ?? '', username, fullName, transliterate(fullName)];
  const words = names.slice(1).flatMap((name) => name.split(/[^\p{L}\p{N}]+/u));
  return [...names, ...words].map(folded).filter((part) => part.length >= shortestPart);
}

const lookalikes: Record<string, string> = {
  '0': 'o',
  '1': 'l',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '8': 'b',
  '@': 'a',
  $: 's',
  '!': 'l',
  '|': 'l',
  i: 'l',
};

/** The same for all simple spellings of a text: without capitals, accents and what stands between letters. */
function folded(text: string): string {
  return text
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[0134578@$!|i]/g, (character) => lookalikes[character] ?? character)
    .replaceAll(/[^\p{L}\p{N}]/gu, '');
}
