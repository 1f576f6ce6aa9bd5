import type { KeyObject } from 'node:crypto';
import { callbackify } from 'node:util';
import type { AccessTokens } from './access-tokens.js';
import { tokenRules } from './token-rules.js';

type KeyCallback = (error: Error | null, key: KeyObject) => void;

interface BearerRequest {
  headers: { authorization?: string };
}

/** What passport-jwt's strategy is made with; fits its `StrategyOptionsWithRequest`. */
export interface JwtOptions {
  jwtFromRequest(request: BearerRequest): string | null;
  secretOrKeyProvider(
    request: unknown,
    token: string,
    done: (error: unknown, key?: string | Buffer) => void,
  ): void;
  algorithms: ['RS256'];
  issuer: string;
  audience: string;
  passReqToCallback: true;
}

/** The token of `Authorization: Bearer …`, or `null` without one. */
export function bearerToken({ headers }: BearerRequest): string | null {
  return /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1] ?? null;
}

/**
 * Options for passport-jwt, so that its strategy and `AccessTokens.verify` follow one set of rules. What is wrong with
 * a token reaches `handleRequest(error, user, info)` of the guard: a `ApplicationError`, or an error of jsonwebtoken.
 *
 * ```ts
 * @Injectable()
 * export class AccessTokenStrategy extends PassportStrategy(Strategy, 'jwt') {
 *   constructor(private readonly tokens: AccessTokens) {
 *     super(jwtOptions(tokens));
 *   }
 *
 *   // A token that was verified before costs no signature check.
 *   override authenticate(request: FastifyRequest): void {
 *     const caller = this.tokens.recall(bearerToken(request) ?? '');
 *     if (caller) this.success(caller);
 *     else super.authenticate(request);
 *   }
 *
 *   validate(request: FastifyRequest, claims: JwtPayload): Caller {
 *     return this.tokens.admit(bearerToken(request) ?? '', claims);
 *   }
 * }
 * ```
 */
export function jwtOptions(tokens: AccessTokens): JwtOptions {
  const keyOf = callbackify((token: string) => tokens.keyOf(token));
  return {
    ...tokenRules,
    jwtFromRequest: bearerToken,
    // jsonwebtoken takes a KeyObject, which saves parsing the key each time; passport-jwt's types do not know it.
    secretOrKeyProvider: (_, token, done) => keyOf(token, done as unknown as KeyCallback),
    passReqToCallback: true,
  };
}
