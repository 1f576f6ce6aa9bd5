import type { Caller } from '@mentorhub/contracts';
import { Clock, CONFIG } from '@mentorhub/service-kit';
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
    private readonly clock: Clock,
  ) {}

  /** When a token made now expires. */
  expiry(): Date {
    const seconds = Math.floor(this.clock.now().getTime() / 1000);
    return new Date((seconds + this.config.ACCESS_TOKEN_TTL_SECONDS) * 1000);
  }

  async sign(caller: Caller, expiresAt: Date): Promise<string> {
    const { kid, privateKey } = await this.keys.current();
    return new SignJWT({ sid: caller.session_id, roles: caller.roles })
      .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid })
      .setSubject(String(caller.user_id))
      .setIssuer('mentorhub')
      .setAudience('mentorhub-api')
      .setIssuedAt(Math.floor(this.clock.now().getTime() / 1000))
      .setExpirationTime(Math.floor(expiresAt.getTime() / 1000))
      .sign(privateKey);
  }
}
