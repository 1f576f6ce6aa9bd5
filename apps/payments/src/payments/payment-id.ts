import { randomBytes } from 'node:crypto';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** Text of 32 letters with 160 random bits, Crockford's base 32 in lower case. */
function randomText(): string {
  return Array.from(randomBytes(32), (byte) => alphabet[byte & 31]).join('');
}

/** A new payment's id, `pm_…`: nobody can guess another's. */
export const newPaymentId = (): string => `pm_${randomText()}`;

/** A reference of the sandbox provider, `sb_…`. */
export const newSandboxReference = (): string => `sb_${randomText()}`;
