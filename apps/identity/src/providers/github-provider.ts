import type { Configuration } from 'openid-client';
import {
  type AuthorizationResponse,
  type IdentityProvider,
  type ProviderAccount,
  ProviderRefusal,
  type Visit,
} from './identity-provider.js';
import { returnUrl } from './openid-provider.js';
import { isEmailAddress } from './provider-claims.js';
import { callProvider, providerError } from './provider-calls.js';
import { isLoopback, issuerOf, type ProviderSettings } from './provider-settings.js';

type GitHubSettings = Extract<ProviderSettings, { kind: 'github' }>;

/** GitHub speaks OAuth 2.0 without ID tokens: who signed in is asked of its API, with the access token. */
export class GitHubProvider implements IdentityProvider {
  readonly id: string;
  readonly name: string;
  readonly issuer: string;
  private readonly api: string;
  private configured?: Promise<Configuration>;

  constructor(private readonly settings: GitHubSettings) {
    this.id = settings.id;
    this.name = settings.name;
    this.issuer = issuerOf(settings);
    this.api =
      settings.url === 'https://github.com' ? 'https://api.github.com' : `${settings.url}/api/v3`;
  }

  async authorizationUrl({ state, codeVerifier, redirectUri }: Visit): Promise<URL> {
    const { buildAuthorizationUrl, calculatePKCECodeChallenge } = await import('openid-client');
    return buildAuthorizationUrl(await this.configuration(), {
      redirect_uri: redirectUri,
      scope: 'read:user user:email',
      state,
      code_challenge: await calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
    });
  }

  async account(response: AuthorizationResponse, visit: Visit): Promise<ProviderAccount> {
    const { authorizationCodeGrant } = await import('openid-client');
    try {
      const { access_token: token } = await authorizationCodeGrant(
        await this.configuration(),
        returnUrl(visit.redirectUri, response),
        { expectedState: visit.state, pkceCodeVerifier: visit.codeVerifier },
      );
      const [user, emails] = await Promise.all([
        this.get('/user', token),
        this.get('/user/emails', token),
      ]);
      return accountOf(user, emails);
    } catch (error) {
      throw providerError(error);
    }
  }

  private async get(path: string, token: string): Promise<unknown> {
    const response = await callProvider(`${this.api}${path}`, {
      method: 'GET',
      headers: {
        accept: 'application/vnd.github+json',
        authorization: `Bearer ${token}`,
        // GitHub refuses requests without one.
        'user-agent': 'MentorHub',
        'x-github-api-version': '2022-11-28',
      },
      body: undefined,
      redirect: 'manual',
    });
    if (!response.ok) throw new ProviderRefusal(`GitHub answered ${response.status}`);
    return response.json();
  }

  private configuration(): Promise<Configuration> {
    this.configured ??= this.configure();
    return this.configured;
  }

  private async configure(): Promise<Configuration> {
    const oauth = await import('openid-client');
    const { url, clientId, clientSecret } = this.settings;
    const configuration = new oauth.Configuration(
      {
        issuer: this.issuer,
        authorization_endpoint: `${url}/login/oauth/authorize`,
        token_endpoint: `${url}/login/oauth/access_token`,
      },
      clientId,
      clientSecret,
    );
    configuration[oauth.customFetch] = callProvider;
    const { protocol, hostname } = new URL(url);
    if (protocol === 'http:' && isLoopback(hostname)) oauth.allowInsecureRequests(configuration);
    return configuration;
  }
}

/** @throws ProviderRefusal when an answer has not the shape that GitHub documents */
function accountOf(user: unknown, emails: unknown): ProviderAccount {
  const { id, name } = (user ?? {}) as Record<string, unknown>;
  // Names can be changed, and given to others; ids cannot.
  if (!Number.isSafeInteger(id) || Number(id) < 1) throw new ProviderRefusal('no usable subject');
  if (!Array.isArray(emails)) throw new ProviderRefusal('no list of addresses');
  const primary = emails
    .map((one: unknown) => (one ?? {}) as Record<string, unknown>)
    .find((one) => one['primary'] === true && one['verified'] === true);
  const email = primary?.['email'];
  return {
    subject: String(id),
    verifiedEmail: isEmailAddress(email) ? email.toLowerCase() : undefined,
    name: typeof name === 'string' ? name : undefined,
  };
}
