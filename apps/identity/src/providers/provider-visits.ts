import { hkdfSync } from 'node:crypto';
import { ApplicationError } from '@mentorhub/contracts';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { IdentityConfig } from '../config.js';
import { hashOf, newToken } from '../secrets/secret-token.js';
import type { Visit } from './identity-provider.js';

export const visitSeconds = 600;

/** What a visit is for: to sign in, or to link the provider's account to that of a signed-in user. */
export interface VisitPurpose {
  provider: string;
  /** Who links; null for a sign-in. */
  userId: number | null;
}

/**
 * Visits of browsers to providers: one return each, within ten minutes, by the browser that set out. The database has
 * hashes of the two secrets of a visit, the one in the address (`state`) and the one in the browser's cookie; whatever
 * else the visit needs is derived from both and `SECRET_KEY`.
 */
@Injectable()
export class ProviderVisits {
  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {}

  async begin(
    tx: EntityManager,
    { provider, userId }: VisitPurpose,
  ): Promise<{ visit: Visit; browserToken: string }> {
    const [state, browserToken] = [newToken(), newToken()];
    await tx.query(
      `INSERT INTO provider_visits (state_hash, browser_hash, provider, user_id, expires_at)
       VALUES ($1, $2, $3, $4, $5)`,
      [
        hashOf(state),
        hashOf(browserToken),
        provider,
        userId,
        new Date(this.clock.now().getTime() + visitSeconds * 1000),
      ],
    );
    return { visit: this.visitOf(provider, state, browserToken), browserToken };
  }

  /**
   * Ends a visit: deleting it decides who of several is first. One that comes back elsewhere, or to another end, stays
   * what it is.
   * @throws ApplicationError INVALID_TOKEN
   */
  async end(
    { provider, userId }: VisitPurpose,
    state: string,
    browserToken: string | null,
  ): Promise<Visit> {
    if (browserToken === null) throw visitUnknown();
    const [rows] = await this.dataSource.query<[unknown[], number]>(
      `DELETE FROM provider_visits
       WHERE state_hash = $1 AND browser_hash = $2 AND provider = $3
         AND user_id IS NOT DISTINCT FROM $4::int AND expires_at > $5
       RETURNING 1`,
      [hashOf(state), hashOf(browserToken), provider, userId, this.clock.now()],
    );
    if (rows.length === 0) throw visitUnknown();
    return this.visitOf(provider, state, browserToken);
  }

  private visitOf(provider: string, state: string, browserToken: string): Visit {
    const derive = (use: string): string =>
      Buffer.from(
        hkdfSync(
          'sha256',
          `${this.config.SECRET_KEY}.${browserToken}`,
          state,
          `mentorhub provider visits ${use}`,
          32,
        ),
      ).toString('base64url');
    return {
      state,
      codeVerifier: derive('code verifier'),
      nonce: derive('nonce'),
      redirectUri: `${this.config.PUBLIC_URL}/sign-in/${provider}`,
    };
  }
}

/** The answer to every return that proves nothing, whatever the reason. */
export function visitUnknown(cause?: unknown): ApplicationError {
  return new ApplicationError(
    'INVALID_TOKEN',
    'This sign-in was finished before, has expired, or was begun in another browser: begin again.',
    { cause },
  );
}
