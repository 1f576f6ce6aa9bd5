import { AccessTokens, bearerToken, jwtOptions } from '@mentorhub/access-token';
import type { Caller } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import type { FastifyRequest } from 'fastify';
import { Strategy } from 'passport-jwt';

/** Passport's way to an access token; the rules are those of `AccessTokens`. */
@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy, 'jwt') {
  constructor(private readonly tokens: AccessTokens) {
    super(jwtOptions(tokens));
  }

  /** A token that was verified before costs no signature check. */
  override authenticate(request: Parameters<Strategy['authenticate']>[0]): void {
    const caller = this.tokens.recall(bearerToken(request) ?? '');
    if (caller) this.success(caller);
    else super.authenticate(request);
  }

  /** @throws ApplicationError UNAUTHENTICATED when the session of the token has ended */
  validate(
    request: Pick<FastifyRequest, 'headers'>,
    claims: Parameters<AccessTokens['admit']>[1],
  ): Caller {
    return this.tokens.admit(bearerToken(request) ?? '', claims);
  }
}
