/** Account at a provider, as the provider describes it. */
export interface ProviderAccount {
  /** What the provider knows the account by, for good. */
  subject: string;
  /** In lower case; undefined unless the provider has verified it. */
  verifiedEmail?: string;
  /** What the account's owner calls themselves; as they wrote it. */
  name?: string;
}

/** The secrets of one visit to a provider. */
export interface Visit {
  /** Goes there and comes back in the address. */
  state: string;
  /** Goes there as a hash (PKCE, RFC 7636), and as it is when the code is exchanged. */
  codeVerifier: string;
  /** Comes back inside of the ID token. */
  nonce: string;
  redirectUri: string;
}

/** What came back in the address. */
export interface AuthorizationResponse {
  code: string;
  state: string;
  /** Who answered, RFC 9207. */
  iss?: string;
}

/** A place where users prove who they are. */
export interface IdentityProvider {
  readonly id: string;
  /** For readers. */
  readonly name: string;
  /** What tells its accounts from those of all other providers. */
  readonly issuer: string;

  /**
   * Where the browser goes.
   * @throws ProviderUnavailable
   */
  authorizationUrl(visit: Visit): Promise<URL>;

  /**
   * Whose account the response is about. Asks the provider; never inside of a transaction.
   * @throws ProviderUnavailable, ProviderRefusal
   */
  account(response: AuthorizationResponse, visit: Visit): Promise<ProviderAccount>;
}

/** The provider does not answer, or answers that it cannot; another try may work. */
export class ProviderUnavailable extends Error {
  override readonly name = 'ProviderUnavailable';
}

/** The provider, or what it sent, proves nothing. The message is for logs: it has no values that came from outside. */
export class ProviderRefusal extends Error {
  override readonly name = 'ProviderRefusal';
}
