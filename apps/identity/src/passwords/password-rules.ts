import { ApplicationError } from '@mentorhub/contracts';
import { isEasyPassword } from './easy-passwords.js';

/** Whose password it is: what an attacker who knows the person would try. */
export interface Owner {
  email: string;
  fullName: string;
  username?: string;
}

const shortest = 8;
const longest = 256;

/**
 * Why a new password is refused, or `undefined`. Length counts, composition does not (NIST SP 800-63B §5.1.1.2,
 * ASVS 6.2): 8 to 256 characters of any kind, not one of those that are tried first, not the owner's own name or address.
 */
export function passwordFault(password: string, owner: Owner): string | undefined {
  const length = Array.from(password).length;
  if (length < shortest) return `password must have at least ${shortest} characters.`;
  if (length > longest) return `password must have at most ${longest} characters.`;
  if (isEasyPassword(password)) {
    return 'password is among the most common ones or follows a simple pattern, so it is tried first; choose another, such as a few random words.';
  }
  const own = [owner.email, owner.email.split('@')[0], owner.fullName, owner.username, 'mentorhub'];
  const plain = simplified(password);
  if (own.some((text) => text !== undefined && simplified(text) === plain)) {
    return 'password must not be your own name or address; choose another, such as a few random words.';
  }
  return undefined;
}

/** @throws ApplicationError VALIDATION_FAILED with the reason when the password is too weak */
export function checkPassword(password: string, owner: Owner): void {
  const fault = passwordFault(password, owner);
  if (fault !== undefined) throw ApplicationError.invalid('password', fault);
}

function simplified(text: string): string {
  return text.toLowerCase().replaceAll(/[\s._-]/g, '');
}
