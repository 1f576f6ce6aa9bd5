/** Codes that Node.js has for certificates that it does not accept. */
const REFUSED = /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_)/;
const NOT_OFFERED = 'The server does not support SSL connections';

/**
 * What is wrong with the encryption of a connection, with the server and the remedy; undefined when it failed for another
 * reason. The driver names neither.
 * @param url the address of the database, of which nothing but server and `sslmode` is shown
 */
export function encryptionProblem(error: unknown, url: string): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  const address = URL.parse(url);
  const server = `PostgreSQL at ${address?.host ?? 'its address'}`;
  if (error.message === NOT_OFFERED) {
    const mode = address?.searchParams.get('sslmode');
    const wanted = mode ? `sslmode=${mode}` : 'the address';
    return new Error(
      `${server} offers no TLS, which ${wanted} asks for: turn it on in the server (ssl = on), or connect to another one.`,
      { cause: error },
    );
  }
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code !== 'string' || !REFUSED.test(code)) return undefined;
  return new Error(
    `The certificate of ${server} is not accepted: ${error.message}. In the address, sslrootcert must be the file of the authority that signed it, and the host a name that is in it.`,
    { cause: error },
  );
}
