import { type Caller, ApplicationError, type Role } from '@mentorhub/contracts';
import type { JwtPayload } from 'jsonwebtoken';

/** What an access token must say, besides being signed by identity (RFC 9068). */
export const tokenRules = {
  /** The only algorithm: neither `none` nor a public key taken for a shared secret gets past it. */
  algorithms: ['RS256'] as ['RS256'],
  issuer: 'mentorhub',
  audience: 'mentorhub-api',
};

const type = 'at+jwt';
const longestToken = 4096;
const roles: ReadonlySet<unknown> = new Set<Role>(['student', 'mentor', 'admin']);

/**
 * The id of the key a token names. It is only ever compared with the ids that identity published; keys or addresses of
 * keys inside of the token are not looked at.
 * @throws ApplicationError UNAUTHENTICATED for what is no access token
 */
export function keyIdOf(token: string): string {
  if (token.length > longestToken) throw invalidToken();
  const header = parseHeader(token);
  const { alg, typ, kid, crit } = header;
  if (alg !== tokenRules.algorithms[0] || typ !== type || crit !== undefined) throw invalidToken();
  if (typeof kid !== 'string' || !/^[\w-]{1,128}$/.test(kid)) throw invalidToken();
  return kid;
}

function parseHeader(token: string): Record<string, unknown> {
  const [encoded = ''] = token.split('.', 1);
  try {
    const header: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString());
    if (typeof header === 'object' && header !== null) return header as Record<string, unknown>;
  } catch (cause) {
    throw invalidToken(cause);
  }
  throw invalidToken();
}

/** Who a token speaks for, and until when, in unix milliseconds. */
export interface TokenFacts {
  caller: Caller;
  expiresAt: number;
}

/**
 * Reads the claims of a token whose signature, issuer, audience and times were verified.
 * @throws ApplicationError UNAUTHENTICATED when one is missing or has a shape that identity does not write
 */
export function factsOf(claims: JwtPayload | string | undefined): TokenFacts {
  if (typeof claims !== 'object') throw invalidToken();
  const { sub, sid, exp, roles: own, premium } = claims as Record<string, unknown>;
  const userId = typeof sub === 'string' && /^[1-9]\d{0,9}$/.test(sub) ? Number(sub) : undefined;
  if (userId === undefined || !isId(sid) || typeof exp !== 'number') throw invalidToken();
  if (!Array.isArray(own) || !own.every((role) => roles.has(role))) throw invalidToken();
  return {
    caller: Object.freeze({
      user_id: userId,
      session_id: sid,
      roles: Object.freeze(own as Role[]),
      ...(premium === true && { is_premium: true as const }),
    }),
    expiresAt: exp * 1000,
  };
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

export function invalidToken(cause?: unknown): ApplicationError {
  return new ApplicationError('UNAUTHENTICATED', 'The access token is not valid. Sign in again.', {
    cause,
  });
}

export function expiredToken(cause?: unknown): ApplicationError {
  return new ApplicationError('UNAUTHENTICATED', 'The access token has expired. Refresh it.', {
    cause,
  });
}

export function endedSession(): ApplicationError {
  return new ApplicationError('UNAUTHENTICATED', 'This device was signed out. Sign in again.');
}
