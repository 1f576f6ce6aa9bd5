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
import { AuditTrail } from '../audit/audit-trail.js';
import { SecretBox } from '../secrets/secret-box.js';

const algorithm = 'RS256';
const dayMs = 86_400_000;
/** How often a replica that signs looks whether there is another key: so long a withdrawn one is used at most. */
const lookAgainMs = 1000;
/** How much longer than its last token a key is published, for replicas whose clocks differ. */
const marginMs = 10 * 60_000;
/**
 * How long a key is published before it signs: every gateway has fetched it by then, also one that could not for a few
 * minutes, and no request waits for a key.
 */
const publishedAheadMs = 15 * 60_000;

interface SigningKey {
  kid: string;
  privateKey: CryptoKey;
}

/** What a rotation comes to. */
export interface KeyRotation {
  /** The key that takes over. */
  kid: string;
  signsFrom: Date;
  /** The keys that are not trusted any more. */
  withdrawn: string[];
  /** Whether it was made now; else it had been published before and has not begun to sign. */
  isNew: boolean;
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
  private opened?: SigningKey;

  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly audit: AuditTrail,
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
    const stillUsed = new Date(this.clock.now().getTime() - ttlMs - marginMs);
    const rows = await this.dataSource.query<{ public_key: PublicKey }[]>(
      `SELECT public_key FROM signing_keys
       WHERE withdrawn_at IS NULL AND (superseded_at IS NULL OR superseded_at > $1)
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
    this.opened =
      this.opened?.kid === row.kid
        ? this.opened
        : { kid: row.kid, privateKey: await this.open(row) };
    return this.opened;
  }

  /** The key that signs now and the one that follows it, if there is one. */
  private usable(manager: EntityManager): Promise<KeyRow[]> {
    return manager.query<KeyRow[]>(
      `SELECT kid, private_key, signs_from, superseded_at FROM signing_keys
       WHERE withdrawn_at IS NULL AND (superseded_at IS NULL OR superseded_at > $1)
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
   * Has the next key take over: as by the schedule, published first and then signing. With `atOnce`, because a key may
   * be in other hands: a new one signs from now on, and no token of those before it is trusted any more.
   */
  rotate({ atOnce }: { atOnce: boolean }): Promise<KeyRotation> {
    return this.transactions.run(async (tx) => {
      await this.lock(tx);
      const usable = await this.usable(tx);
      const newest = usable.at(-1);
      const now = this.clock.now();
      if (!atOnce && newest && newest.signs_from > now) {
        return { kid: newest.kid, signsFrom: newest.signs_from, withdrawn: [], isNew: false };
      }
      const withdrawn = atOnce ? await this.withdrawAll(tx) : [];
      const isFirst = atOnce || !this.signing(usable);
      const signsFrom = isFirst ? now : new Date(now.getTime() + publishedAheadMs);
      const kid = await this.make(tx, signsFrom, { by_command: true, withdrawn: withdrawn.length });
      return { kid, signsFrom, withdrawn, isNew: true };
    });
  }

  /**
   * Makes the next key and resolves to the one that signs now. Of several replicas one makes it, and the others find
   * it. Without a key that signs already, as at the first start, the new one does so at once.
   */
  private makeNext(): Promise<KeyRow | undefined> {
    return this.transactions.run(async (tx) => {
      await this.lock(tx);
      const usable = await this.usable(tx);
      const signing = this.signing(usable);
      if (!this.isDue(usable)) return signing;
      const now = this.clock.now();
      const signsFrom = signing ? new Date(now.getTime() + publishedAheadMs) : now;
      await this.make(tx, signsFrom, { by_command: false, withdrawn: 0 });
      return this.signing(await this.usable(tx));
    });
  }

  private async lock(tx: EntityManager): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('mentorhub:signing-keys', 0))`);
  }

  /** Makes a key that signs from an instant on, in place of those before. */
  private async make(
    tx: EntityManager,
    signsFrom: Date,
    detail: { by_command: boolean; withdrawn: number },
  ): Promise<string> {
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
        this.clock.now(),
        signsFrom,
      ],
    );
    await this.audit.record(tx, {
      action: 'keys.rotate',
      actorId: null,
      detail: { kid, signs_from: signsFrom.toISOString(), ...detail },
    });
    this.logger.log(`Key ${kid} signs access tokens from ${signsFrom.toISOString()} on.`);
    return kid;
  }

  private async withdrawAll(tx: EntityManager): Promise<string[]> {
    const [rows] = await tx.query<[{ kid: string }[], number]>(
      `UPDATE signing_keys SET withdrawn_at = $1, superseded_at = least(superseded_at, $1)
       WHERE withdrawn_at IS NULL RETURNING kid`,
      [this.clock.now()],
    );
    return rows.map(({ kid }) => kid);
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
