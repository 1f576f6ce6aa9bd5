import type { Configuration, IDToken, UserInfoResponse } from 'openid-client';
import {
  type AuthorizationResponse,
  type IdentityProvider,
  type ProviderAccount,
  ProviderRefusal,
  type Visit,
} from './identity-provider.js';
import { isEmailAddress, isSubject } from './provider-claims.js';
import { callProvider, providerError } from './provider-calls.js';
import { isLoopback, type ProviderSettings } from './provider-settings.js';

type OpenIdSettings = Extract<ProviderSettings, { kind: 'openid' }>;

/** How long what a provider says about itself is believed. */
const discoveryMs = 3_600_000;

/** Any provider of OpenID Connect, by its discovery document: the code flow with PKCE, state and nonce. */
export class OpenIdProvider implements IdentityProvider {
  readonly id: string;
  readonly name: string;
  readonly issuer: string;
  private discovered?: { configuration: Promise<Configuration>; until: number };

  constructor(private readonly settings: OpenIdSettings) {
    this.id = settings.id;
    this.name = settings.name;
    this.issuer = settings.issuer;
  }

  async authorizationUrl({ state, nonce, codeVerifier, redirectUri }: Visit): Promise<URL> {
    const { buildAuthorizationUrl, calculatePKCECodeChallenge } = await import('openid-client');
    try {
      return buildAuthorizationUrl(await this.configuration(), {
        redirect_uri: redirectUri,
        scope: 'openid email profile',
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
      });
    } catch (error) {
      throw providerError(error);
    }
  }

  async account(response: AuthorizationResponse, visit: Visit): Promise<ProviderAccount> {
    const { authorizationCodeGrant, fetchUserInfo } = await import('openid-client');
    try {
      const configuration = await this.configuration();
      const tokens = await authorizationCodeGrant(
        configuration,
        returnUrl(visit.redirectUri, response),
        {
          expectedState: visit.state,
          expectedNonce: visit.nonce,
          pkceCodeVerifier: visit.codeVerifier,
          idTokenExpected: true,
        },
      );
      const claims = tokens.claims();
      if (!claims) throw new ProviderRefusal('no ID token');
      if (claims.email !== undefined) return accountOf(claims);
      // Some tell more than the subject only here.
      if (configuration.serverMetadata().userinfo_endpoint === undefined) return accountOf(claims);
      return accountOf(await fetchUserInfo(configuration, tokens.access_token, claims.sub));
    } catch (error) {
      throw providerError(error);
    }
  }

  /** Discovered at the first use, so that a provider that is down keeps nothing else from starting. */
  private configuration(): Promise<Configuration> {
    const now = Date.now();
    if (!this.discovered || this.discovered.until <= now) {
      const configuration = this.discover();
      const discovered = { configuration, until: now + discoveryMs };
      this.discovered = discovered;
      configuration.catch(() => {
        if (this.discovered === discovered) this.discovered = undefined;
      });
    }
    return this.discovered.configuration;
  }

  private async discover(): Promise<Configuration> {
    const { allowInsecureRequests, customFetch, discovery, enableNonRepudiationChecks } =
      await import('openid-client');
    const { issuer, clientId, clientSecret } = this.settings;
    const url = new URL(issuer);
    const onThisMachine = url.protocol === 'http:' && isLoopback(url.hostname);
    return discovery(url, clientId, clientSecret, undefined, {
      [customFetch]: callProvider,
      // The signature of the ID token is checked as well, not only where it came from.
      execute: [enableNonRepudiationChecks, ...(onThisMachine ? [allowInsecureRequests] : [])],
    });
  }
}

/** The address that the browser came back to, as the library reads it. */
export function returnUrl(redirectUri: string, { code, state, iss }: AuthorizationResponse): URL {
  const url = new URL(redirectUri);
  url.searchParams.set('code', code);
  url.searchParams.set('state', state);
  if (iss !== undefined) url.searchParams.set('iss', iss);
  return url;
}

function accountOf(claims: IDToken | UserInfoResponse): ProviderAccount {
  const { sub, email, email_verified: verified, name } = claims;
  if (!isSubject(sub)) throw new ProviderRefusal('no usable subject');
  // Some write the flag as a text.
  const isVerified = verified === true || (verified as unknown) === 'true';
  return {
    subject: sub,
    verifiedEmail: isVerified && isEmailAddress(email) ? email.toLowerCase() : undefined,
    name: typeof name === 'string' ? name : undefined,
  };
}
