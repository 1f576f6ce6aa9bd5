import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { fromSeed } from '@nats-io/nkeys';
import { EnvError, makeExactValidator } from 'envalid';
import { address, type RawEnvironment, text, type Variable, type Variables } from './variables.js';

function addressesIn(environment: RawEnvironment): string[] {
  return (environment['NATS_URL'] ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function isEncrypted(natsAddress: string): boolean {
  return natsAddress.toLowerCase().startsWith('tls://');
}

/** What is wrong with the addresses of NATS together. */
function addressConflict(environment: RawEnvironment): string | undefined {
  const addresses = addressesIn(environment);
  if (addresses.some((each) => URL.parse(each)?.username)) {
    return 'NATS_URL contains a user: set NATS_USER and NATS_PASSWORD, or NATS_NKEY_SEED, instead.';
  }
  const encrypted = addresses.filter(isEncrypted);
  if (encrypted.length === 0) return undefined;
  if (encrypted.length < addresses.length) {
    return 'NATS_URL mixes tls:// and nats://: use tls:// for all servers, or for none.';
  }
  const hosts = encrypted.map((each) => URL.parse(each)?.hostname.replace(/^\[|\]$/g, '') ?? '');
  return hosts.some((host) => isIP(host) !== 0)
    ? 'NATS_URL has an IP address behind tls://: use the host name that is in the certificate of the server.'
    : undefined;
}

function hasCertificate(path: string): boolean {
  try {
    return new X509Certificate(readFileSync(path)).subject !== undefined;
  } catch {
    return false;
  }
}

const caFileDescription =
  'The certificates of the authorities that NATS servers may have theirs from, read again for every connection; without it, those that Node knows. With tls:// in NATS_URL alone';

const caFile: Variable<string | undefined> = {
  ...text({
    optional: true,
    desc: caFileDescription,
    conflict: (environment) =>
      environment['NATS_CA_FILE']?.trim() && !addressesIn(environment).some(isEncrypted)
        ? 'NATS_CA_FILE has no effect unless NATS_URL begins with tls://: change the address, or unset the file.'
        : undefined,
  }),
  kind: 'the path of a readable file with certificates in PEM format',
  spec: makeExactValidator<string | undefined>((path) => {
    if (!hasCertificate(path)) throw new EnvError();
    return path;
  })({ desc: caFileDescription, default: undefined }),
};

/** Whether a text is the seed of a user's NKey. */
function isUserSeed(seed: string): boolean {
  try {
    return fromSeed(new TextEncoder().encode(seed)).getPublicKey().startsWith('U');
  } catch {
    return false;
  }
}

const seedDescription =
  'The seed of this app’s NKey, whose public key the NATS servers know; instead of NATS_USER and NATS_PASSWORD';

const nkeySeed: Variable<string | undefined> = {
  ...text({
    optional: true,
    secret: true,
    desc: seedDescription,
    conflict: (environment) => {
      const others = ['NATS_USER', 'NATS_PASSWORD'].filter((name) => environment[name]?.trim());
      return environment['NATS_NKEY_SEED']?.trim() && others.length > 0
        ? `NATS_NKEY_SEED and ${others.join(' and ')} are set: unset the seed, or the user with the password.`
        : undefined;
    },
  }),
  kind: 'the seed of a user’s NKey, which begins with SU',
  spec: makeExactValidator<string | undefined>((seed) => {
    if (!isUserSeed(seed)) throw new EnvError();
    return seed;
  })({ desc: seedDescription, default: undefined }),
};

/** How an app reaches NATS, and who it is there. */
export const natsVariables = {
  NATS_URL: address(['nats', 'tls'], { many: true })({
    desc: 'The NATS servers, separated by commas; with tls://, a server without TLS is refused',
    example: 'nats://nats:4222',
    secret: true,
    conflict: addressConflict,
  }),
  NATS_CA_FILE: caFile,
  NATS_USER: text({ optional: true, desc: 'The NATS user of this app' }),
  NATS_PASSWORD: text({ optional: true, secret: true, desc: 'The password of the NATS user' }),
  NATS_NKEY_SEED: nkeySeed,
} satisfies Variables;
