import { randomBytes } from 'node:crypto';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** Text of 32 letters with 160 random bits, Crockford's base 32 in lower case. */
function randomText(): string {
  return Array.from(randomBytes(32), (byte) => alphabet[byte & 31]).join('');
}

/** A new payment's id, `pm_…`: nobody can guess another's. */
export const newPaymentId = (): string => `pm_${randomText()}`;

/** The sandbox provider's reference of a payment, `sb_…`: always the same, as the sandbox remembers nothing. */
export const sandboxReference = (paymentId: string): string => paymentId.replace(/^pm_/, 'sb_');
