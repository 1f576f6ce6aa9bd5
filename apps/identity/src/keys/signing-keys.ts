import type { PublicKey } from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import {
  calculateJwkThumbprint,
  type CryptoKey,
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  importPKCS8,
} from 'jose';
import { DataSource, type EntityManager } from 'typeorm';
import type { IdentityConfig } from '../config.js';
import { SecretBox } from '../secrets/secret-box.js';

const algorithm = 'RS256';
const dayMs = 86_400_000;
/** For how long a replica may go on signing with the key it knows before it looks whether there is a newer one. */
const lookAgainMs = 5 * 60_000;

interface SigningKey {
  kid: string;
  privateKey: CryptoKey;
}

interface KeyRow {
  kid: string;
  private_key: Buffer;
  created_at: Date;
}

/**
 * The keys that access tokens are signed with. All replicas share them through the database, where the private halves
 * rest encrypted. One is current; those before it are published until the last token they signed has expired.
 */
@Injectable()
export class SigningKeys implements OnModuleInit {
  private readonly logger = new Logger(SigningKeys.name);
  private readonly box: SecretBox;
  private known?: Promise<SigningKey>;
  private lookAgainAt = 0;

  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {
    this.box = new SecretBox(config.SECRET_KEY, 'signing keys');
  }

  /** A wrong `SECRET_KEY` ends the start, not the first sign-in. */
  async onModuleInit(): Promise<void> {
    await this.current();
  }

  /** The key to sign with; made at the first start, and anew every `KEY_ROTATION_DAYS`. */
  current(): Promise<SigningKey> {
    const now = this.clock.now().getTime();
    if (!this.known || now >= this.lookAgainAt) {
      this.lookAgainAt = now + lookAgainMs;
      const loading = this.load();
      this.known = loading;
      loading.catch(() => {
        if (this.known === loading) this.known = undefined;
      });
    }
    return this.known;
  }

  /** The public keys of every access token that may still be valid, newest first. */
  async list(): Promise<PublicKey[]> {
    const ttlMs = this.config.ACCESS_TOKEN_TTL_SECONDS * 1000;
    const stillUsed = new Date(this.clock.now().getTime() - ttlMs - 2 * lookAgainMs);
    const rows = await this.dataSource.query<{ public_key: PublicKey }[]>(
      `SELECT public_key FROM signing_keys
       WHERE superseded_at IS NULL OR superseded_at > $1
       ORDER BY created_at DESC`,
      [stillUsed],
    );
    return rows.map((row) => row.public_key);
  }

  private async load(): Promise<SigningKey> {
    const row = (await this.fresh(this.dataSource.manager)) ?? (await this.rotate());
    return { kid: row.kid, privateKey: await this.open(row) };
  }

  /** The current key unless it is due to be replaced. */
  private async fresh(manager: EntityManager): Promise<KeyRow | undefined> {
    const oldest = new Date(this.clock.now().getTime() - this.config.KEY_ROTATION_DAYS * dayMs);
    const [row] = await manager.query<KeyRow[]>(
      `SELECT kid, private_key, created_at FROM signing_keys
       WHERE superseded_at IS NULL AND created_at > $1`,
      [oldest],
    );
    return row;
  }

  /** Makes the next key; of several replicas one does, and the others take what it made. */
  private rotate(): Promise<KeyRow> {
    return this.transactions.run(async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('mentorhub:signing-keys', 0))`);
      const made = await this.fresh(tx);
      if (made) return made;
      const now = this.clock.now();
      const { publicKey, privateKey } = await generateKeyPair(algorithm, {
        modulusLength: 2048,
        extractable: true,
      });
      const jwk = await exportJWK(publicKey);
      const kid = await calculateJwkThumbprint(jwk);
      const sealed = this.box.seal(await exportPKCS8(privateKey), kid);
      await tx.query(`UPDATE signing_keys SET superseded_at = $1 WHERE superseded_at IS NULL`, [
        now,
      ]);
      await tx.query(
        `INSERT INTO signing_keys (kid, public_key, private_key, created_at) VALUES ($1, $2, $3, $4)`,
        [kid, { kty: jwk.kty, kid, alg: algorithm, use: 'sig', n: jwk.n, e: jwk.e }, sealed, now],
      );
      this.logger.log(`Access tokens are signed with a new key from now on: ${kid}`);
      return { kid, private_key: sealed, created_at: now };
    });
  }

  private open(row: KeyRow): Promise<CryptoKey> {
    let pem: string;
    try {
      pem = this.box.open(row.private_key, row.kid);
    } catch (cause) {
      throw new Error(
        'SECRET_KEY does not open the signing key in the database: set the SECRET_KEY it was made with. If that is lost, delete the rows of signing_keys; everybody then has to sign in again.',
        { cause },
      );
    }
    return importPKCS8(pem, algorithm);
  }
}
