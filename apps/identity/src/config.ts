import {
  choice,
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
  webAddress,
} from '@mentorhub/service-kit';
import { EnvError, makeExactValidator } from 'envalid';
import { storageKinds } from './avatars/avatar-storage.js';
import {
  type ProviderSettings,
  providersOf,
  providerVariables,
} from './providers/provider-settings.js';

const secretKeyDescription =
  'Encrypts the private signing keys and the secrets of authenticator apps in the database; keep it, and keep it from others';

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
  PREVIOUS_SECRET_KEY: text({
    optional: true,
    secret: true,
    desc: 'The SECRET_KEY before this one: opens the secrets of authenticator apps, each of which is sealed anew when a code of it is used',
  }),
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
    desc: 'Most mails that may be asked for from one network (as above) within an hour, such as to reset a password',
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
  AVATAR_STORAGE: choice(storageKinds)({
    defaultFrom: (environment) => (isLocal(environment) ? 'disk' : 'database'),
    defaultText: 'database; disk in the local profile',
    desc: 'Where new pictures of users are stored: `disk` in AVATAR_DIRECTORY, which all replicas share, `s3` in a bucket, or `database`',
  }),
  AVATAR_DIRECTORY: text({
    default: '.data/avatars',
    desc: 'The folder of pictures on disk',
  }),
  AVATAR_S3_BUCKET: text({ optional: true, desc: 'The bucket of pictures; it stays private' }),
  AVATAR_S3_REGION: text({ default: 'us-east-1', desc: 'The region of the bucket' }),
  AVATAR_S3_ENDPOINT: webAddress({
    optional: true,
    desc: 'The address of a service other than AWS that speaks the protocol of S3',
    example: 'https://s3.example.com',
  }),
  AVATAR_S3_ACCESS_KEY_ID: text({ optional: true, desc: 'Names the key to the bucket' }),
  AVATAR_S3_SECRET_ACCESS_KEY: text({
    optional: true,
    secret: true,
    desc: 'The key to the bucket',
  }),
  AVATAR_UPLOADS_PER_HOUR: integer({
    default: 20,
    min: 1,
    desc: 'Most pictures that a user may upload within an hour',
  }),
  EMAIL_LOGIN: choice(['code', 'trusted'])({
    default: 'code',
    desc: '`code`: whoever signs in with an email address alone proves the mailbox by a code; `trusted`: whoever names an address is taken for its owner, for closed networks and demos',
  }),
  I_UNDERSTAND_TRUSTED_EMAIL_LOGIN: choice(['yes', 'no'])({
    default: 'no',
    desc: '`yes` lets identity start with `EMAIL_LOGIN=trusted` and `NODE_ENV=production`',
  }),
  EVENT_STREAM_REPLICAS: replicas,
  EVENT_STREAM_MAX_BYTES: integer({
    default: 8 * 1024 ** 3,
    min: 1024 ** 2,
    desc: 'Most bytes the event stream of all services keeps; JetStream sets them aside. When they are used up, events wait in the services’ databases',
  }),
  ADMIN_EMAIL: text({
    optional: true,
    desc: 'The email address of an administrator who is created at start unless there is one or the address has an account',
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
  if (
    config.EMAIL_LOGIN === 'trusted' &&
    config.NODE_ENV === 'production' &&
    config.I_UNDERSTAND_TRUSTED_EMAIL_LOGIN !== 'yes'
  ) {
    throw new ConfigurationError([
      'EMAIL_LOGIN=trusted signs in anybody who knows an email address: leave it out, or, where nobody else can reach the platform, set I_UNDERSTAND_TRUSTED_EMAIL_LOGIN=yes.',
    ]);
  }
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
  checkAvatarStorage(config);
  return { ...config, PROVIDERS: providersOf(config, environment) };
}

/** @throws ConfigurationError when the bucket of pictures lacks a setting */
function checkAvatarStorage(config: Environment<typeof variables>): void {
  if (config.AVATAR_STORAGE !== 's3') return;
  const needed = [
    'AVATAR_S3_BUCKET',
    'AVATAR_S3_ACCESS_KEY_ID',
    'AVATAR_S3_SECRET_ACCESS_KEY',
  ] as const;
  const missing = needed.filter((name) => config[name] === undefined);
  if (missing.length === 0) return;
  throw new ConfigurationError(
    missing.map((name) => `${name} is needed with AVATAR_STORAGE=s3: set it.`),
  );
}
