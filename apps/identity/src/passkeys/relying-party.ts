import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { IdentityConfig } from '../config.js';

/** Whom passkeys are made for. It follows from the configuration alone, whatever host a request names. */
@Injectable()
export class RelyingParty {
  readonly name = 'MentorHub';
  /** The domain of `PUBLIC_URL`. */
  readonly id: string;
  /** The web pages that may ask for a passkey. */
  readonly origins: string[];

  constructor(@Inject(CONFIG) { PUBLIC_URL, ALLOWED_ORIGINS }: IdentityConfig) {
    const { hostname, origin } = new URL(PUBLIC_URL);
    this.id = hostname;
    this.origins = [origin, ...ALLOWED_ORIGINS];
  }
}
