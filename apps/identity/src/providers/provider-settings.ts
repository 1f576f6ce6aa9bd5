import {
  ConfigurationError,
  list,
  type RawEnvironment,
  readEnvironment,
  text,
  webAddress,
} from '@mentorhub/service-kit';

/** A provider by the rules of OpenID Connect, or GitHub, which has its own. */
export type ProviderSettings = {
  /** Its part of addresses. */
  readonly id: string;
  /** For readers. */
  readonly name: string;
  readonly clientId: string;
  readonly clientSecret: string;
} & (
  | { readonly kind: 'openid'; readonly issuer: string }
  /** `url` is where people open it: github.com, or a GitHub Enterprise Server. */
  | { readonly kind: 'github'; readonly url: string }
);

const googleIssuer = 'https://accounts.google.com';

export const providerVariables = {
  OIDC_GOOGLE_CLIENT_ID: text({
    optional: true,
    desc: 'Users may sign in with Google: the id of the client that is registered there, with PUBLIC_URL/sign-in/google as its redirect address',
  }),
  OIDC_GOOGLE_CLIENT_SECRET: text({
    optional: true,
    secret: true,
    desc: 'The secret of that client',
  }),
  OIDC_GITHUB_CLIENT_ID: text({
    optional: true,
    desc: 'Users may sign in with GitHub: the id of the OAuth app that is registered there, with PUBLIC_URL/sign-in/github as its callback address',
  }),
  OIDC_GITHUB_CLIENT_SECRET: text({
    optional: true,
    secret: true,
    desc: 'The secret of that app',
  }),
  OIDC_GITHUB_URL: webAddress({
    default: 'https://github.com',
    desc: 'Where GitHub is; for a GitHub Enterprise Server, its address',
  }),
  OIDC_PROVIDERS: list({
    default: [],
    desc: 'Names of further OpenID providers to sign in with, such as `keycloak`; each needs OIDC_<NAME>_ISSUER, OIDC_<NAME>_CLIENT_ID and OIDC_<NAME>_CLIENT_SECRET (or OIDC_<NAME>_CLIENT_SECRET_FILE), may have OIDC_<NAME>_LABEL, and redirects to PUBLIC_URL/sign-in/<name>. In the variables a dash is written as an underscore',
  }),
};

interface ReadVariables {
  OIDC_GOOGLE_CLIENT_ID?: string;
  OIDC_GOOGLE_CLIENT_SECRET?: string;
  OIDC_GITHUB_CLIENT_ID?: string;
  OIDC_GITHUB_CLIENT_SECRET?: string;
  OIDC_GITHUB_URL: string;
  OIDC_PROVIDERS: readonly string[];
}

/**
 * The providers of a configuration.
 * @throws ConfigurationError that lists everything wrong
 */
export function providersOf(
  config: ReadVariables,
  environment: RawEnvironment,
): ProviderSettings[] {
  const problems: string[] = [];
  const providers: ProviderSettings[] = [];
  /** The client at a provider of its own variables, when both of them are set. */
  const clientOf = (name: 'GOOGLE' | 'GITHUB') => {
    const clientId = config[`OIDC_${name}_CLIENT_ID`];
    const clientSecret = config[`OIDC_${name}_CLIENT_SECRET`];
    if (clientId !== undefined && clientSecret !== undefined) return { clientId, clientSecret };
    if (clientId !== clientSecret) {
      problems.push(
        `OIDC_${name}_CLIENT_ID and OIDC_${name}_CLIENT_SECRET belong together: set both or neither.`,
      );
    }
    return undefined;
  };
  const google = clientOf('GOOGLE');
  if (google) {
    providers.push({
      kind: 'openid',
      id: 'google',
      name: 'Google',
      issuer: googleIssuer,
      ...google,
    });
  }
  const github = clientOf('GITHUB');
  if (github) {
    const url = config.OIDC_GITHUB_URL;
    problems.push(...insecure('OIDC_GITHUB_URL', url));
    providers.push({ kind: 'github', id: 'github', name: 'GitHub', url, ...github });
  }
  for (const id of config.OIDC_PROVIDERS) {
    if (!/^[a-z][a-z0-9-]{0,31}$/.test(id) || id === 'google' || id === 'github') {
      problems.push(
        `OIDC_PROVIDERS has “${id}”: use names of a-z, 0-9 and dashes that begin with a letter; Google and GitHub have variables of their own.`,
      );
      continue;
    }
    try {
      const provider = furtherProvider(id, environment);
      problems.push(...insecure(`${prefixOf(id)}_ISSUER`, provider.issuer));
      providers.push(provider);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      problems.push(...error.problems);
    }
  }
  problems.push(...duplicates(providers));
  if (problems.length > 0) throw new ConfigurationError(problems);
  return providers;
}

function prefixOf(id: string): string {
  return `OIDC_${id.toUpperCase().replaceAll('-', '_')}`;
}

function furtherProvider(id: string, environment: RawEnvironment) {
  const prefix = prefixOf(id);
  const read = readEnvironment(environment, {
    [`${prefix}_ISSUER`]: webAddress({
      desc: `The issuer of the provider “${id}”`,
      example: 'https://id.example.com',
    }),
    [`${prefix}_CLIENT_ID`]: text({ desc: `The id of the client at the provider “${id}”` }),
    [`${prefix}_CLIENT_SECRET`]: text({ secret: true, desc: 'The secret of that client' }),
    [`${prefix}_LABEL`]: text({ default: id, desc: 'What readers know the provider by' }),
  });
  const value = (name: string) => String(read[`${prefix}_${name}`]);
  return {
    kind: 'openid' as const,
    id,
    name: value('LABEL').slice(0, 64),
    issuer: value('ISSUER'),
    clientId: value('CLIENT_ID'),
    clientSecret: value('CLIENT_SECRET'),
  };
}

/** Codes and secrets travel there, so only this machine may be asked without TLS. */
function insecure(variable: string, address: string): string[] {
  const { protocol, hostname } = new URL(address);
  if (protocol === 'https:' || isLoopback(hostname)) return [];
  return [`${variable} must begin with https://: secrets are sent there.`];
}

export function isLoopback(hostname: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}

/** Accounts are known by their issuer, so there may be one provider for each. */
function duplicates(providers: readonly ProviderSettings[]): string[] {
  const seen = new Map<string, string>();
  return providers.flatMap((provider) => {
    const issuer = issuerOf(provider);
    const other = seen.get(issuer) ?? seen.get(provider.id);
    seen.set(issuer, provider.id).set(provider.id, provider.id);
    return other === undefined
      ? []
      : [`The providers “${other}” and “${provider.id}” are the same: leave one of them out.`];
  });
}

/** What tells the accounts of a provider from those of all others. */
export function issuerOf(provider: ProviderSettings): string {
  return provider.kind === 'openid' ? provider.issuer : `${provider.url}/login/oauth`;
}
