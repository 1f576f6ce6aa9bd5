import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import {
  type Authenticator,
  type ConnectionOptions,
  nkeyAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import type { NatsConnectionSettings } from '../messaging.options.js';

/** Whether an address asks for TLS. */
function needsTls(address: string): boolean {
  return /^tls:\/\//i.test(address.trim());
}

/**
 * The options of the client library for a connection's encryption and credentials. The library takes no notice of the
 * scheme of an address, so `tls://` has to be spelt out: with the option `tls` it refuses a server that offers none.
 */
export function securityOptions({
  servers,
  user,
  pass,
  nkeySeed,
  caFile,
}: NatsConnectionSettings): Pick<ConnectionOptions, 'tls' | 'authenticator'> {
  const credentials: Authenticator[] = [];
  if (nkeySeed !== undefined) {
    credentials.push(nkeyAuthenticator(new TextEncoder().encode(nkeySeed)));
  } else if (user !== undefined) {
    credentials.push(usernamePasswordAuthenticator(user, pass));
  }
  if (![servers].flat().some(needsTls)) return { authenticator: credentials };

  // A server can offer TLS in a way that the library takes for an offer but does not take up, and goes on in plain text.
  // So the credentials wait for a certificate that was checked.
  let verified = false;
  const tls = {
    ...(caFile !== undefined && { caFile }),
    checkServerIdentity: (host: string, certificate: PeerCertificate): Error | undefined => {
      const error = checkServerIdentity(host, certificate);
      verified = error === undefined;
      return error;
    },
  };
  const onlyEncrypted: Authenticator = () => {
    if (!verified) throw new Error('the NATS server did not encrypt the connection');
    // The next server proves its name anew.
    verified = false;
  };
  return { tls, authenticator: [onlyEncrypted, ...credentials] };
}

/** Codes that Node.js has for certificates that it does not accept. */
const REFUSED = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_)/;

/** What is wrong with the encryption of a connection, with the remedy; undefined when it failed for another reason. */
export function encryptionProblem(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { message } = error;
  if (message === "server does not support 'tls'") {
    return 'the server offers no TLS, which tls:// asks for: turn it on in its configuration, or connect to another one';
  }
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string' || !REFUSED.test(code)) return undefined;
  return `the certificate of the server is not accepted: ${message}. NATS_CA_FILE must have the authority that signed it, and NATS_URL a name that is in it`;
}
