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
export function passwordFault(
  password: string,
  owner: Owner,
  field = 'password',
): string | undefined {
  const length = Array.from(password).length;
  if (length < shortest) return `${field} must have at least ${shortest} characters.`;
  if (length > longest) return `${field} must have at most ${longest} characters.`;
  if (isEasyPassword(password)) {
    return `${field} is among the most common ones or follows a simple pattern, so it is tried first; choose another, such as a few random words.`;
  }
  const own = [owner.email, owner.email.split('@')[0], owner.fullName, owner.username, 'mentorhub'];
  const plain = simplified(password);
  if (own.some((text) => text !== undefined && simplified(text) === plain)) {
    return `${field} must not be your own name or address; choose another, such as a few random words.`;
  }
  return undefined;
}

/** @throws ApplicationError VALIDATION_FAILED of the field with the reason when the password is too weak */
export function checkPassword(password: string, owner: Owner, field = 'password'): void {
  const fault = passwordFault(password, owner, field);
  if (fault !== undefined) throw ApplicationError.invalid(field, fault);
}

function simplified(text: string): string {
  return text.toLowerCase().replaceAll(/[\s._-]/g, '');
}
