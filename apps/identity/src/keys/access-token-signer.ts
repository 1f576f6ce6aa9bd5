import type { Caller } from '@mentorhub/contracts';
import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import type { IdentityConfig } from '../config.js';
import { SigningKeys } from './signing-keys.js';

/** Makes access tokens: JWTs after RFC 9068, signed with RS256. */
@Injectable()
export class AccessTokenSigner {
  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly keys: SigningKeys,
  ) {}

  /** When a token that is issued at an instant expires. */
  expiry(issuedAt: Date): Date {
    return new Date((secondsOf(issuedAt) + this.config.ACCESS_TOKEN_TTL_SECONDS) * 1000);
  }

  /** A token issued at an instant. While the key is the same, so is the token of the same instant. */
  async sign(caller: Caller, issuedAt: Date): Promise<string> {
    const { kid, privateKey } = await this.keys.current();
    return new SignJWT({
      sid: caller.session_id,
      roles: caller.roles,
      ...(caller.is_premium && { premium: true }),
    })
      .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid })
      .setSubject(String(caller.user_id))
      .setIssuer('mentorhub')
      .setAudience('mentorhub-api')
      .setIssuedAt(secondsOf(issuedAt))
      .setExpirationTime(secondsOf(this.expiry(issuedAt)))
      .sign(privateKey);
  }
}

function secondsOf(instant: Date): number {
  return Math.floor(instant.getTime() / 1000);
}
