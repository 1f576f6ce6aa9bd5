import { createHash, randomBytes } from 'node:crypto';

/** A secret of 256 random bits that fits into a URL. Shown once; what is stored is its hash. */
export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * What of a token, or of an address that is only compared, is stored. A plain hash does for tokens: 256 random bits
 * leave nothing to guess.
 */
export function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
