import {
  ConfigurationError,
  type Environment,
  integer,
  isLocal,
  list,
  type RawEnvironment,
  readEnvironment,
  serviceVariables,
  text,
  type Variable,
} from '@mentorhub/service-kit';
import { EnvError, makeExactValidator } from 'envalid';
import {
  type ProviderSettings,
  providersOf,
  providerVariables,
} from './providers/provider-settings.js';

const secretKeyDescription =
  'Encrypts the private signing keys in the database; keep it, and keep it from others';

const secretKey: Variable<string> = {
  ...text({ desc: secretKeyDescription, secret: true }),
  kind: 'a random text of at least 32 characters',
  spec: makeExactValidator((value) => {
    if (value.length < 32) throw new EnvError();
    return value;
  })({ desc: secretKeyDescription }),
};

const replicasDescription =
  'Copies of the event stream that a NATS cluster keeps at least; a stream that has more keeps them. With fewer servers, identity serves with what can be had and tries again';

const replicas: Variable<number> = {
  ...integer({ default: 1, desc: replicasDescription }),
  kind: '1, 3 or 5',
  spec: makeExactValidator((value) => {
    if (!['1', '3', '5'].includes(value)) throw new EnvError();
    return Number(value);
  })({ default: 1, desc: replicasDescription }),
};

export const variables = {
  ...serviceVariables('identity', { managementPort: 8011 }),
  SECRET_KEY: secretKey,
  ACCESS_TOKEN_TTL_SECONDS: integer({
    default: 1800,
    min: 60,
    max: 86_400,
    desc: 'How long an access token works, in seconds',
  }),
  REFRESH_TOKEN_TTL_DAYS: integer({
    default: 30,
    min: 1,
    max: 365,
    desc: 'How long a device stays signed in without refreshing its tokens, in days',
  }),
  SESSION_TTL_DAYS: integer({
    default: 90,
    min: 1,
    max: 3650,
    desc: 'How long a device stays signed in at most, in days, however often it refreshes its tokens',
  }),
  SESSIONS_PER_USER: integer({
    default: 50,
    min: 1,
    max: 1000,
    desc: 'On how many devices a user may be signed in; one more signs out the one that was used least recently',
  }),
  KEY_ROTATION_DAYS: integer({
    default: 90,
    min: 1,
    max: 3650,
    desc: 'After how many days access tokens are signed with a new key',
  }),
  REGISTRATIONS_PER_HOUR: integer({
    defaultFrom: (environment) => (isLocal(environment) ? 100_000 : 30),
    defaultText: '30; 100000 in the local profile, where all come from one address',
    min: 1,
    desc: 'Most accounts that may be registered from one network (an IPv4 address, an IPv6 /64) within an hour',
  }),
  MAIL_REQUESTS_PER_HOUR: integer({
    defaultFrom: (environment) => (isLocal(environment) ? 100_000 : 60),
    defaultText: '60; 100000 in the local profile, where all come from one address',
    min: 1,
    desc: 'Most mails that may be asked for from one network (as above) within an hour, such as to reset a password, and most links that may be opened in vain',
  }),
  ALLOWED_ORIGINS: list({
    default: [],
    desc: 'Origins of web pages that may ask for passkeys, besides PUBLIC_URL; those under its domain',
  }),
  ARGON2_MEMORY_KIB: integer({
    default: 47_104,
    min: 47_104,
    max: 1_048_576,
    desc: 'How much memory the hash of a password takes, in KiB; as many sign-ins as there are cores take it at once. Stored hashes are renewed at the next sign-in, as with the next two',
  }),
  ARGON2_PASSES: integer({
    default: 1,
    min: 1,
    max: 100,
    desc: 'How often the hash of a password goes over its memory',
  }),
  ARGON2_PARALLELISM: integer({
    default: 1,
    min: 1,
    max: 16,
    desc: 'How many lanes the hash of a password has, which are computed in parallel',
  }),
  AUDIT_RETENTION_DAYS: integer({
    default: 730,
    min: 366,
    max: 3650,
    desc: 'After how many days entries of the audit trail are deleted',
  }),
  ...providerVariables,
  EVENT_STREAM_REPLICAS: replicas,
  EVENT_STREAM_MAX_BYTES: integer({
    default: 8 * 1024 ** 3,
    min: 1024 ** 2,
    desc: 'Most bytes the event stream of all services keeps; JetStream sets them aside. When they are used up, events wait in the services’ databases',
  }),
  ADMIN_EMAIL: text({
    optional: true,
    desc: 'The email address of an administrator who is created at start unless the address has an account',
  }),
  ADMIN_PASSWORD: text({
    optional: true,
    secret: true,
    desc: 'The first password of that administrator',
  }),
};

export type IdentityConfig = Environment<typeof variables> & {
  /** Where else users may sign in. */
  readonly PROVIDERS: readonly ProviderSettings[];
};

/** @throws ConfigurationError that lists everything wrong */
export function readConfig(environment: RawEnvironment): IdentityConfig {
  const config = readEnvironment(environment, variables);
  if (config.SESSION_TTL_DAYS < config.REFRESH_TOKEN_TTL_DAYS) {
    throw new ConfigurationError([
      `SESSION_TTL_DAYS must be at least REFRESH_TOKEN_TTL_DAYS, which is ${config.REFRESH_TOKEN_TTL_DAYS}: no device stays signed in for longer.`,
    ]);
  }
  if ((config.ADMIN_EMAIL === undefined) !== (config.ADMIN_PASSWORD === undefined)) {
    throw new ConfigurationError([
      'ADMIN_EMAIL and ADMIN_PASSWORD belong together: set both or neither.',
    ]);
  }
  return { ...config, PROVIDERS: providersOf(config, environment) };
}
