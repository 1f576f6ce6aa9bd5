import { randomUUID } from 'node:crypto';
import { type Caller, ApplicationError, Keys } from '@mentorhub/contracts';
import { MessagingModule, RequestClient } from '@mentorhub/messaging';
import { testNats } from '@mentorhub/testing';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { exportPKCS8, generateKeyPair, importPKCS8 } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import { Strategy } from 'passport-jwt';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  AccessTokenModule,
  AccessTokens,
  bearerToken,
  jwtOptions,
  RevokedSessions,
} from '../src/index.js';
import { FakeIdentity, makeKey, makeToken, type SigningKey } from './fake-identity.js';

@Module({})
class GatewayModule {}

type Nats = Awaited<ReturnType<typeof testNats>>;

let nats: Nats;
let identity: FakeIdentity;
let gateway: INestApplicationContext;
let tokens: AccessTokens;
let revoked: RevokedSessions;
let key: SigningKey;

const caller: Caller = { user_id: 7, session_id: 70, roles: ['student'] };

beforeAll(async () => {
  nats = await testNats();
});
afterAll(() => nats.stop());

beforeEach(async () => {
  identity = await FakeIdentity.start(nats.url);
  key = identity.keys[0]!;
});

afterEach(async () => {
  vi.useRealTimers();
  await gateway.close();
  await identity.stop();
});

async function startGateway(): Promise<void> {
  gateway = await NestFactory.createApplicationContext(
    {
      module: GatewayModule,
      imports: [
        MessagingModule.forRoot({ service: 'api-gateway', connection: { servers: nats.url } }),
        AccessTokenModule,
      ],
    },
    { logger: false },
  );
  tokens = gateway.get(AccessTokens);
  revoked = gateway.get(RevokedSessions);
}

/** A gateway that identity has answered. */
async function startReadyGateway(): Promise<void> {
  await identity.answer();
  await startGateway();
  await expect.poll(() => revoked.loaded).toBe(true);
}

/** What passport-jwt's strategy says of a token: the caller, or the error it fails with. */
function authenticate(token: string): Promise<unknown> {
  return new Promise((resolve) => {
    const strategy = new Strategy(jwtOptions(tokens), (request, claims, done) => {
      try {
        done(null, tokens.admit(bearerToken(request) ?? '', claims));
      } catch (error) {
        done(error);
      }
    });
    Object.assign(strategy, { success: resolve, fail: resolve, error: resolve });
    strategy.authenticate({ headers: { authorization: `Bearer ${token}` } } as never);
  });
}

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

async function refusal(token: string): Promise<ApplicationError> {
  const outcome = await tokens.verify(token).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(ApplicationError);
  return outcome as ApplicationError;
}

describe('a valid token', () => {
  beforeEach(startReadyGateway);

  it('says whether its user has the higher limits', async () => {
    const premium = await tokens.verify(await makeToken(key, { claims: { premium: true } }));
    expect(premium).toEqual({ ...caller, is_premium: true });
    for (const claims of [{}, { premium: 'yes' }, { premium: false }]) {
      expect(await tokens.verify(await makeToken(key, { claims }))).toEqual(caller);
    }
  });

  it('stands for its caller', async () => {
    expect(await tokens.verify(await makeToken(key))).toEqual(caller);
  });

  it('does so at passport-jwt too, and is then remembered for both', async () => {
    const token = await makeToken(key);
    expect(tokens.recall(token)).toBeUndefined();
    expect(await authenticate(token)).toEqual(caller);
    expect(tokens.recall(token)).toEqual(caller);
  });

  it('costs one signature check, however often it comes', async () => {
    const check = vi.spyOn(jsonwebtoken, 'verify');
    const token = await makeToken(key);
    for (let n = 0; n < 5; n++) await tokens.verify(token);
    expect(check).toHaveBeenCalledTimes(1);
    check.mockRestore();
  });

  it('is refused once it has expired, also when it was remembered', async () => {
    const token = await makeToken(key);
    await tokens.verify(token);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1_801_000 });
    expect(tokens.recall(token)).toBeUndefined();
    expect(await refusal(token)).toMatchObject({
      code: 'UNAUTHENTICATED',
      detail: 'The access token has expired. Refresh it.',
    });
  });

  it('may be signed with a new key, which is fetched when it first appears', async () => {
    await tokens.verify(await makeToken(key));
    const next = await makeKey();
    identity.keys.unshift(next);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10_000 });
    expect(await tokens.verify(await makeToken(next))).toEqual(caller);
    expect(await tokens.verify(await makeToken(key))).toEqual(caller);
    expect(identity.keyRequests).toBe(2);
  });
});

describe('a withdrawn signing key', () => {
  beforeEach(startReadyGateway);

  it('is not trusted any more, also for tokens that were verified before', async () => {
    const token = await makeToken(key);
    await tokens.verify(token);
    const next = await makeKey();
    identity.keys = [next];
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10_000 });
    // Whatever makes the gateway fetch the keys: here a token of the new one.
    expect(await tokens.verify(await makeToken(next))).toEqual(caller);
    expect(tokens.recall(token)).toBeUndefined();
    expect(await refusal(token)).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await authenticate(token)).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('is dropped at the signal of identity, and its successor is known before it is needed', async () => {
    const token = await makeToken(key);
    await tokens.verify(token);
    const next = await makeKey();
    identity.keys = [next];
    const began = performance.now();
    identity.withdraw([key.kid]);
    await expect.poll(() => tokens.recall(token), { interval: 5 }).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(1000);
    expect(await refusal(token)).toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect.poll(() => identity.keyRequests).toBe(2);
    expect(await tokens.verify(await makeToken(next))).toEqual(caller);
    expect(identity.keyRequests).toBe(2);
  });

  it('does not come back with an answer that was under way', async () => {
    const token = await makeToken(key);
    await tokens.verify(token);
    const next = await makeKey();
    const released = identity.delayAnswers();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10_000 });
    // Asks for the keys: the answer still has the old one.
    const unknown = refusal(await makeToken(next));
    await expect.poll(() => identity.keyRequests).toBe(2);
    identity.withdraw([key.kid]);
    await expect.poll(() => tokens.recall(token), { interval: 5 }).toBeUndefined();
    released();
    await unknown;
    identity.keys = [next];
    await expect.poll(() => identity.keyRequests).toBe(3);
    await expect
      .poll(async () => tokens.verify(await makeToken(next)).catch(() => undefined))
      .toEqual(caller);
    expect(await refusal(token)).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('is dropped at the signal also while identity does not answer', async () => {
    const token = await makeToken(key);
    await tokens.verify(token);
    identity.withdraw([key.kid]);
    await identity.stop();
    await expect.poll(() => tokens.recall(token), { interval: 5 }).toBeUndefined();
    await expect(tokens.verify(token)).rejects.toBeInstanceOf(ApplicationError);
  });
});

describe('a forged token', () => {
  beforeEach(startReadyGateway);

  /** Each is a token that must not pass. */
  const forgeries: Record<string, () => Promise<string> | string> = {
    'without a signature (alg none)': () => {
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: 'mentorhub', aud: 'mentorhub-api', sub: '7', sid: 70, roles: [] };
      return `${part({ alg: 'none', typ: 'at+jwt', kid: key.kid })}.${part({ ...claims, iat: now, exp: now + 60 })}.`;
    },
    'signed with the public key as a shared secret (HS256)': () =>
      makeToken(key, { header: { alg: 'HS256' }, key: Buffer.from(key.pem) }),
    'that says RS256 over an HMAC of the public key': async () => {
      const [, payload] = (await makeToken(key)).split('.');
      const header = Buffer.from(
        JSON.stringify({ alg: 'RS256', typ: 'at+jwt', kid: key.kid }),
      ).toString('base64url');
      const hmac = await makeToken(key, { header: { alg: 'HS256' }, key: Buffer.from(key.pem) });
      return `${header}.${payload}.${hmac.split('.')[2]}`;
    },
    'signed by the right key with another algorithm': async () =>
      makeToken(key, {
        header: { alg: 'RS512' },
        key: await importPKCS8(await exportPKCS8(key.privateKey), 'RS512'),
      }),
    'signed by another key under a known key id': async () =>
      makeToken(key, { key: (await makeKey()).privateKey }),
    'whose claims were changed': async () => {
      const [header, payload = '', signature] = (await makeToken(key)).split('.');
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
      const changed = Buffer.from(JSON.stringify({ ...claims, roles: ['admin'] }));
      return `${header}.${changed.toString('base64url')}.${signature}`;
    },
    'for another audience': () => makeToken(key, { claims: { aud: 'another-api' } }),
    'without an audience': () => makeToken(key, { claims: { aud: undefined } }),
    'of another issuer': () => makeToken(key, { claims: { iss: 'https://evil.example' } }),
    'of another type': () => makeToken(key, { header: { typ: 'JWT' } }),
    'without a type': () => makeToken(key, { header: { typ: undefined } }),
    'that has expired': () =>
      makeToken(key, { claims: { exp: Math.floor(Date.now() / 1000) - 1 } }),
    'that never expires': () => makeToken(key, { claims: { exp: undefined } }),
    'that is not valid yet': () =>
      makeToken(key, { claims: { nbf: Math.floor(Date.now() / 1000) + 60 } }),
    'without a key id': () => makeToken(key, { header: { kid: undefined } }),
    'with a path as key id': () => makeToken(key, { header: { kid: '../../../../dev/null' } }),
    'with SQL as key id': () => makeToken(key, { header: { kid: "' UNION SELECT 'x" } }),
    'with an unknown key id': () => makeToken(key, { header: { kid: 'unknown' } }),
    'with an object as key id': () => makeToken(key, { header: { kid: { $ne: '' } } }),
    'that brings its own key (jwk)': async () => {
      const own = await makeKey(key.kid);
      return makeToken(own, { header: { jwk: own.jwk } });
    },
    'that names the address of its own key (jku)': async () => {
      const own = await makeKey();
      return makeToken(own, { header: { jku: 'https://evil.example/jwks.json' } });
    },
    'that names the address of its own certificate (x5u)': async () => {
      const own = await makeKey(key.kid);
      return makeToken(own, { header: { x5u: 'https://evil.example/cert.pem' } });
    },
    'that brings its own certificate (x5c)': async () => {
      const own = await makeKey(key.kid);
      return makeToken(own, { header: { x5c: [Buffer.from(own.pem).toString('base64')] } });
    },
    'signed by an elliptic curve key under a known key id': async () => {
      const { privateKey } = await generateKeyPair('ES256');
      return makeToken(key, { header: { alg: 'ES256' }, key: privateKey });
    },
    'that is an ID token of somebody else’s provider': () =>
      makeToken(key, { header: { typ: 'JWT' }, claims: { nonce: 'n', aud: 'client' } }),
    'with an audience among others that is not exactly ours': () =>
      makeToken(key, { claims: { aud: ['mentorhub-api-v2', 'mentorhub'] } }),
    'that demands an extension (crit)': async () => {
      const [, payload = '', signature = ''] = (await makeToken(key)).split('.');
      const header = { alg: 'RS256', typ: 'at+jwt', kid: key.kid, crit: ['b64'], b64: false };
      return `${part(header)}.${payload}.${signature}`;
    },
    'without a user': () => makeToken(key, { claims: { sub: undefined } }),
    'with a user id that is no number': () => makeToken(key, { claims: { sub: '7 OR 1=1' } }),
    'without a session': () => makeToken(key, { claims: { sid: undefined } }),
    'with a role that does not exist': () => makeToken(key, { claims: { roles: ['root'] } }),
    'that is no JWT at all': () => 'garbage',
    'whose header is no JSON': () => `${Buffer.from('garbage').toString('base64url')}.e30.e30`,
    'that is far too long': () => makeToken(key, { claims: { padding: 'x'.repeat(8000) } }),
  };

  it.each(Object.keys(forgeries))('%s is refused', async (name) => {
    const token = await forgeries[name]!();
    expect(await refusal(token)).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await authenticate(token)).toBeInstanceOf(Error);
    expect(tokens.recall(token)).toBeUndefined();
  });

  it('with unknown key ids makes identity answer once in 10 seconds at most', async () => {
    await Promise.all(
      Array.from({ length: 50 }, async (_, n) =>
        refusal(await makeToken(key, { header: { kid: `unknown-${n}` } })),
      ),
    );
    expect(identity.keyRequests).toBe(1);
  });

  it('with a thousand key ids over a minute makes identity answer six times, and good tokens pass', async () => {
    await tokens.verify(await makeToken(key));
    const start = Date.now();
    const forged = await makeToken(key, { header: { kid: 'forged' } });
    const [, payload, signature] = forged.split('.');
    const passed: Caller[] = [];
    for (let n = 0; n < 1000; n++) {
      vi.useFakeTimers({ toFake: ['Date'], now: start + n * 60 });
      const header = part({ alg: 'RS256', typ: 'at+jwt', kid: randomUUID() });
      await refusal(`${header}.${payload}.${signature}`);
      if (n % 100 === 0) {
        passed.push(await tokens.verify(await makeToken(key, { claims: { n } })));
      }
    }
    expect(passed).toEqual(Array.from({ length: 10 }, () => caller));
    // The first comes 10 seconds after the answer that the good token caused.
    expect(identity.keyRequests).toBeLessThanOrEqual(1 + 6);
    expect(identity.keyRequests).toBeGreaterThan(4);
  }, 20_000);

  it('with unknown key ids asks an identity that is away once a second at most', async () => {
    await identity.stop();
    const asked = vi.spyOn(gateway.get(RequestClient, { strict: false }), 'request');
    const start = Date.now();
    for (let n = 0; n < 100; n++) {
      vi.useFakeTimers({ toFake: ['Date'], now: start + n * 30 });
      const token = await makeToken(key, { header: { kid: `unknown-${n}` } });
      expect(await refusal(token)).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    }
    const keyRequests = asked.mock.calls.filter(([{ subject }]) => subject === Keys.list.subject);
    expect(keyRequests.length).toBeLessThanOrEqual(4);
    asked.mockRestore();
  }, 20_000);
});

describe('on two replicas of a gateway, and one that starts later,', () => {
  let second: INestApplicationContext | undefined;
  afterEach(() => second?.close());

  it('a session ends everywhere within a second of the signal', async () => {
    await startReadyGateway();
    const [firstTokens, firstGateway] = [tokens, gateway];
    await startGateway();
    second = firstGateway;
    await expect.poll(() => revoked.loaded).toBe(true);
    const replicas = [firstTokens, tokens];
    const lines = await Promise.all([71, 72, 73].map((sid) => makeToken(key, { claims: { sid } })));
    const delays: number[] = [];
    for (const [n, token] of lines.entries()) {
      for (const replica of replicas) await replica.verify(token);
      const began = performance.now();
      identity.revoke(71 + n);
      await expect
        .poll(() => replicas.every((replica) => replica.recall(token) === undefined), {
          interval: 2,
        })
        .toBe(true);
      delays.push(performance.now() - began);
      for (const replica of replicas) {
        await expect(replica.verify(token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
      }
    }
    expect(Math.max(...delays)).toBeLessThan(1000);

    await gateway.close();
    await startGateway();
    await expect.poll(() => revoked.loaded).toBe(true);
    for (const token of lines) {
      expect(await refusal(token)).toMatchObject({
        detail: 'This device was signed out. Sign in again.',
      });
    }
  }, 20_000);
});

describe('a session that was ended', () => {
  it('before the gateway started is refused', async () => {
    identity.revoked.push({ session_id: 70, forget_at: Math.ceil(Date.now() / 1000) + 1800 });
    await startReadyGateway();
    const token = await makeToken(key);
    expect(await refusal(token)).toMatchObject({
      code: 'UNAUTHENTICATED',
      detail: 'This device was signed out. Sign in again.',
    });
    expect(await authenticate(token)).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('is refused from the signal on, also when its token is remembered, and listeners are notified once', async () => {
    await startReadyGateway();
    const token = await makeToken(key);
    const other = await makeToken(key, { claims: { sid: 71 } });
    await tokens.verify(token);
    await tokens.verify(other);
    const received = vi.fn<(sessionId: number) => void>();
    revoked.onRevoked(received);

    identity.revoke(70);
    await expect.poll(() => tokens.recall(token)).toBeUndefined();
    expect(await refusal(token)).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await tokens.verify(other)).toMatchObject({ session_id: 71 });
    await revoked.refresh();
    expect(received.mock.calls).toEqual([[70]]);
  });

  it('while NATS was away is refused once it is back', async () => {
    await startReadyGateway();
    const token = await makeToken(key);
    await tokens.verify(token);
    await nats.kill();
    identity.revoked.push({ session_id: 70, forget_at: Math.ceil(Date.now() / 1000) + 1800 });
    await nats.restart();
    await expect.poll(() => tokens.recall(token), { timeout: 15_000 }).toBeUndefined();
    expect(await refusal(token)).toMatchObject({ code: 'UNAUTHENTICATED' });
  }, 20_000);
});

describe('while identity has not answered yet', () => {
  it('every token is answered 503, and works as soon as it has', async () => {
    await startGateway();
    const token = await makeToken(key);
    expect(await refusal(token)).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(await authenticate(token)).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    await identity.answer();
    await expect
      .poll(() => tokens.verify(token).catch(() => undefined), { timeout: 5000 })
      .toEqual(caller);
  });

  it('a known key does not make up for the missing list of ended sessions', async () => {
    await identity.answerKeys();
    await startGateway();
    const token = await makeToken(key);
    expect(await refusal(token)).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(await authenticate(token)).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(identity.keyRequests).toBe(1);
  });

  it('later outages do not sign anybody out', async () => {
    await startReadyGateway();
    const token = await makeToken(key);
    await tokens.verify(token);
    await identity.stop();
    await revoked.refresh();
    expect(await tokens.verify(token)).toEqual(caller);
    expect(await tokens.verify(await makeToken(key, { claims: { sid: 71 } }))).toMatchObject({
      session_id: 71,
    });
  });
});

describe('the bearer token of a request', () => {
  it.each([
    ['Bearer abc', 'abc'],
    ['bearer   abc ', 'abc'],
    ['Basic abc', null],
    ['abc', null],
    ['', null],
    [undefined, null],
  ])('%s is %s', (authorization, token) => {
    expect(bearerToken({ headers: { authorization } })).toBe(token);
  });
});
