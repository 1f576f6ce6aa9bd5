import { ApplicationError, Auth, Passkeys, SecondFactors } from '@mentorhub/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { respond, startSystem, type System, token } from './fixture.js';

let system: System;
let received: unknown;

const challenge = { mfa_required: true, challenge: 'abc', methods: ['totp'], expires_in: 300 };
const signedIn = { token_type: 'bearer' };

beforeAll(async () => {
  system = await startSystem([
    respond(Auth.login, () => {
      throw new ApplicationError('MFA_REQUIRED', 'Complete the sign-in.', { data: challenge });
    }),
    respond(SecondFactors.verify, (_, data) => {
      received = data;
      return signedIn as never;
    }),
    respond(SecondFactors.disableTotp, (_, data) => {
      received = data;
    }),
    respond(Passkeys.add, (_, data) => {
      received = data;
      return { id: 1 } as never;
    }),
  ]);
});
afterAll(() => system.close());

const post = (path: string, body: object) =>
  system.fetch(`/api/v1/auth/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

/** What Chrome's `PublicKeyCredential.toJSON()` gives. */
const credential = {
  id: 'AQID',
  rawId: 'AQID',
  type: 'public-key',
  authenticatorAttachment: 'platform',
  clientExtensionResults: { credProps: { rk: true }, prf: { results: { first: 'AA' } } },
  response: {
    attestationObject: 'o2M',
    authenticatorData: 'AA',
    clientDataJSON: 'e30',
    publicKey: 'MFk',
    publicKeyAlgorithm: -7,
    transports: ['hybrid', 'internal'],
  },
};

describe('a sign-in to an account with a second factor', () => {
  it('is answered with 401 and what completes it', async () => {
    const answer = await post('login', { email: 'ada@example.com', password: 'right password' });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toMatchObject({
      code: 'MFA_REQUIRED',
      status_code: 401,
      ...challenge,
    });
  });

  it('is completed by a code, of which the service learns the device', async () => {
    const answer = await post('mfa/verify', { challenge: 'abc', code: '123 456' });
    expect(answer.status).toBe(200);
    expect(received).toEqual({
      challenge: 'abc',
      code: '123 456',
      device: { user_agent: expect.any(String) as string, ip: '127.0.0.1' },
    });
  });

  it('names every field that is wrong', async () => {
    const answer = await post('mfa/verify', { code: '12345', user_id: 7, passkey: { id: 1 } });
    expect(answer.status).toBe(422);
    const { errors } = (await answer.json()) as { errors: { field: string }[] };
    expect(errors.map(({ field }) => field)).toEqual(
      expect.arrayContaining(['challenge', 'code', 'user_id', 'passkey.id', 'passkey.response']),
    );
  });
});

describe('the authenticator app', () => {
  it('is switched off by a DELETE with a body', async () => {
    const answer = await system.as(await token(), 'DELETE', '/api/v1/auth/mfa/totp', {
      recovery_code: '7K3M9Q-X2R8TW-4HVB6N-D5Y0ZC',
    });
    expect(answer.status).toBe(204);
    expect(received).toMatchObject({ recovery_code: '7K3M9Q-X2R8TW-4HVB6N-D5Y0ZC' });
  });
});

describe('a passkey', () => {
  it('is added as the browser hands it out; what extensions say is not handed on', async () => {
    const answer = await system.as(await token(), 'POST', '/api/v1/auth/passkeys', { credential });
    expect(answer.status).toBe(201);
    expect(received).toMatchObject({ credential: { ...credential, clientExtensionResults: {} } });
  });

  it('is refused with more than it has', async () => {
    const answer = await system.as(await token(), 'POST', '/api/v1/auth/passkeys', {
      credential: { ...credential, counter: 0 },
    });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ errors: [{ field: 'credential.counter' }] });
  });
});
