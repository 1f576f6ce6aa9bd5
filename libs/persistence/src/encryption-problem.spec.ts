import { describe, expect, it } from 'vitest';
import { encryptionProblem } from './encryption-problem.js';

const url = 'postgres://chat:secret@db.example:5433/chat?sslmode=verify-full&sslrootcert=/ca.crt';

describe('encryptionProblem', () => {
  it('names the server that offers no TLS, and what asks for it', () => {
    const problem = encryptionProblem(
      new Error('The server does not support SSL connections'),
      url,
    );
    expect(problem?.message).toBe(
      'PostgreSQL at db.example:5433 offers no TLS, which sslmode=verify-full asks for: turn it on in the server (ssl = on), or connect to another one.',
    );
  });

  it.each(['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID'])(
    'names the server whose certificate is refused with %s, and the remedy',
    (code) => {
      const problem = encryptionProblem(Object.assign(new Error('it is wrong'), { code }), url);
      expect(problem?.message).toBe(
        'The certificate of PostgreSQL at db.example:5433 is not accepted: it is wrong. In the address, sslrootcert must be the file of the authority that signed it, and the host a name that is in it.',
      );
    },
  );

  it('leaves other errors as they are', () => {
    const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    expect(encryptionProblem(refused, url)).toBeUndefined();
    expect(encryptionProblem('text', url)).toBeUndefined();
  });
});
