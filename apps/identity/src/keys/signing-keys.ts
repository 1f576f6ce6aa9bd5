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
/** How often a replica looks whether there is a newer key. */
const lookAgainMs = 5 * 60_000;
/**
 * How long a key is published before it signs: every gateway has fetched it by then, also one that could not for a few
 * minutes, and no request waits for a key.
 */
const publishedAheadMs = 15 * 60_000;

interface SigningKey {
  kid: string;
  privateKey: CryptoKey;
}

interface KeyRow {
  kid: string;
  private_key: Buffer;
  signs_from: Date;
  superseded_at: Date | null;
}

/**
 * The keys that access tokens are signed with. All replicas share them through the database, where the private halves
 * are stored encrypted. One signs at a time. Its successor is published 15 minutes before it takes over; those before it are
 * published until the last token they signed has expired.
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

  /** The key to sign with; made at the first start, and replaced every `KEY_ROTATION_DAYS`. */
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

  /** The public keys of every access token that may still be valid, and of the next ones, newest first. */
  async list(): Promise<PublicKey[]> {
    const ttlMs = this.config.ACCESS_TOKEN_TTL_SECONDS * 1000;
    const stillUsed = new Date(this.clock.now().getTime() - ttlMs - 2 * lookAgainMs);
    const rows = await this.dataSource.query<{ public_key: PublicKey }[]>(
      `SELECT public_key FROM signing_keys
       WHERE superseded_at IS NULL OR superseded_at > $1
       ORDER BY signs_from DESC`,
      [stillUsed],
    );
    return rows.map((row) => row.public_key);
  }

  private async load(): Promise<SigningKey> {
    const usable = await this.usable(this.dataSource.manager);
    const row = this.isDue(usable) ? await this.makeNext() : this.signing(usable);
    if (!row) throw new Error('There is no key to sign with although one was just made.');
    this.lookAgainAt = Math.min(
      this.lookAgainAt,
      row.superseded_at?.getTime() ?? Number.POSITIVE_INFINITY,
    );
    return { kid: row.kid, privateKey: await this.open(row) };
  }

  /** The key that signs now and the one that follows it, if there is one. */
  private usable(manager: EntityManager): Promise<KeyRow[]> {
    return manager.query<KeyRow[]>(
      `SELECT kid, private_key, signs_from, superseded_at FROM signing_keys
       WHERE superseded_at IS NULL OR superseded_at > $1
       ORDER BY signs_from`,
      [this.clock.now()],
    );
  }

  private signing(usable: readonly KeyRow[]): KeyRow | undefined {
    const now = this.clock.now();
    return usable.find(({ signs_from }) => signs_from <= now);
  }

  /** Whether the next key has to be made: early enough to be published before the newest one is too old. */
  private isDue(usable: readonly KeyRow[]): boolean {
    const newest = usable.at(-1);
    if (!newest || !this.signing(usable)) return true;
    const replacedAt = newest.signs_from.getTime() + this.config.KEY_ROTATION_DAYS * dayMs;
    return this.clock.now().getTime() >= replacedAt - publishedAheadMs;
  }

  /**
   * Makes the next key and resolves to the one that signs now. Of several replicas one makes it, and the others find
   * it. Without a key that signs already, as at the first start, the new one does so at once.
   */
  private makeNext(): Promise<KeyRow | undefined> {
    return this.transactions.run(async (tx) => {
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('mentorhub:signing-keys', 0))`);
      const usable = await this.usable(tx);
      const signing = this.signing(usable);
      if (!this.isDue(usable)) return signing;
      const now = this.clock.now();
      const signsFrom = signing ? new Date(now.getTime() + publishedAheadMs) : now;
      const { publicKey, privateKey } = await generateKeyPair(algorithm, {
        modulusLength: 2048,
        extractable: true,
      });
      const jwk = await exportJWK(publicKey);
      const kid = await calculateJwkThumbprint(jwk);
      const sealed = this.box.seal(await exportPKCS8(privateKey), kid);
      await tx.query(`UPDATE signing_keys SET superseded_at = $1 WHERE superseded_at IS NULL`, [
        signsFrom,
      ]);
      await tx.query(
        `INSERT INTO signing_keys (kid, public_key, private_key, created_at, signs_from)
         VALUES ($1, $2, $3, $4, $5)`,
        [
          kid,
          { kty: jwk.kty, kid, alg: algorithm, use: 'sig', n: jwk.n, e: jwk.e },
          sealed,
          now,
          signsFrom,
        ],
      );
      this.logger.log(`Key ${kid} signs access tokens from ${signsFrom.toISOString()} on.`);
      return this.signing(await this.usable(tx));
    });
  }

  private open(row: KeyRow): Promise<CryptoKey> {
    let pem: string;
    try {
      pem = this.box.open(row.private_key, row.kid);
    } catch (cause) {
      throw new Error(
        'SECRET_KEY does not open the signing key in the database: set the SECRET_KEY it was made with. If that is lost, delete the rows of signing_keys: access tokens end with them, and clients refresh theirs.',
        { cause },
      );
    }
    return importPKCS8(pem, algorithm);
  }
}
