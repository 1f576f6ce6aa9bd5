import { randomUUID } from 'node:crypto';
import {
  Keys,
  type PublicKey,
  type RevokedSession,
  sessionRevokedSignal,
  signingKeysChangedSignal,
  Sessions,
} from '@mentorhub/contracts';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';

export interface SigningKey {
  kid: string;
  privateKey: CryptoKey;
  publicKey: CryptoKey;
  jwk: PublicKey;
  pem: string;
}

export async function makeKey(kid: string = randomUUID()): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const { n = '', e = '' } = await exportJWK(publicKey);
  const jwk: PublicKey = { kid, kty: 'RSA', alg: 'RS256', use: 'sig', n, e };
  return { kid, privateKey, publicKey, jwk, pem: await exportSPKI(publicKey) };
}

/** Answers on NATS what gateways ask identity about tokens, and can fall silent. */
export class FakeIdentity {
  keys: SigningKey[] = [];
  revoked: RevokedSession[] = [];
  /** How often the keys were requested. */
  keyRequests = 0;
  private delayed: (() => void)[] | undefined;

  private constructor(private readonly connection: NatsConnection) {}

  static async start(servers: string): Promise<FakeIdentity> {
    const identity = new FakeIdentity(
      await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 50 }),
    );
    identity.keys.push(await makeKey());
    return identity;
  }

  /** Answers from now on. */
  async answer(): Promise<void> {
    await this.answerKeys();
    this.connection.subscribe(Sessions.revoked.subject, {
      callback: (_, message) => {
        message.respond(JSON.stringify({ sessions: this.revoked }));
      },
    });
    await this.connection.flush();
  }

  /** Answers with its keys, but not which sessions were ended. */
  async answerKeys(): Promise<void> {
    this.connection.subscribe(Keys.list.subject, {
      callback: (_, message) => {
        this.keyRequests += 1;
        const answer = JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) });
        const respond = () => void message.respond(answer);
        if (this.delayed) this.delayed.push(respond);
        else respond();
      },
    });
    await this.connection.flush();
  }

  /** Has answers wait, as they are now, until the returned function is called. */
  delayAnswers(): () => void {
    const delayed: (() => void)[] = [];
    this.delayed = delayed;
    return () => {
      this.delayed = undefined;
      for (const respond of delayed) respond();
    };
  }

  /** Withdraws keys the way identity does. */
  withdraw(withdrawn: string[]): void {
    this.connection.publish(
      signingKeysChangedSignal.subject,
      JSON.stringify({ data: { withdrawn } }),
    );
  }

  /** Ends a session the way identity does. */
  revoke(session_id: number): void {
    const session = { session_id, forget_at: Math.ceil(Date.now() / 1000) + 1800 };
    this.revoked.push(session);
    this.connection.publish(sessionRevokedSignal.subject, JSON.stringify({ data: session }));
  }

  /** Afterwards nobody listens: a closed connection alone would still be sent a request now and then. */
  async stop(): Promise<void> {
    if (!this.connection.isClosed()) await this.connection.drain();
  }
}

export interface TokenChanges {
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
  key?: CryptoKey | Uint8Array;
}

/** A token as identity makes it, but for the changes. A header or claim set to `undefined` is left out. */
export function makeToken(
  { kid, privateKey }: SigningKey,
  { header = {}, claims = {}, key = privateKey }: TokenChanges = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({
    iss: 'mentorhub',
    aud: 'mentorhub-api',
    sub: '7',
    sid: 70,
    roles: ['student'],
    iat: now,
    exp: now + 1800,
    ...claims,
  })
    .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid, ...header })
    .sign(key);
}
