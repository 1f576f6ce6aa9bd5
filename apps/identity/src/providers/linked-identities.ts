import { ApplicationError } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { lockFactors } from '../second-factor/lock-factors.js';

/** An account at a provider, as it is known here. */
export interface LinkedIdentity {
  issuer: string;
  linkedAt: Date;
}

/** Which accounts at providers sign in to which users: at most one of each provider. */
@Injectable()
export class LinkedIdentities {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * The user of an account at a provider, both locked against other changes to their links until the transaction is over.
   */
  async userOf(tx: EntityManager, issuer: string, subject: string): Promise<number | undefined> {
    // There may be no row to lock yet: of two first visits at the same time, one creates the account.
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [
      `mentorhub:linked-identity ${issuer} ${subject}`,
    ]);
    const read = async () => {
      const [row] = await tx.query<{ user_id: number }[]>(
        `SELECT user_id FROM linked_identities WHERE issuer = $1 AND subject = $2`,
        [issuer, subject],
      );
      return row?.user_id;
    };
    const userId = await read();
    if (userId === undefined) return undefined;
    await lockFactors(tx, userId);
    // Whoever took the account back meanwhile has removed the link.
    return read();
  }

  /** @throws ApplicationError CONFLICT when the user has another account of that provider */
  async link(
    tx: EntityManager,
    {
      issuer,
      subject,
      userId,
      now,
    }: { issuer: string; subject: string; userId: number; now: Date },
  ): Promise<void> {
    const rows = await tx.query<unknown[]>(
      `INSERT INTO linked_identities (issuer, subject, user_id, linked_at) VALUES ($1, $2, $3, $4)
       ON CONFLICT DO NOTHING RETURNING 1`,
      [issuer, subject, userId, now],
    );
    if (rows.length > 0) return;
    throw new ApplicationError(
      'CONFLICT',
      'Another account of this provider is linked already: unlink that one first.',
    );
  }

  /**
   * Unlinks a provider from a user.
   * @param issuers those of the configuration: what is linked of others signs nobody in
   * @throws ApplicationError NOT_FOUND when it is not linked, WRONG_STATE when nothing else signs the user in
   */
  async unlink(
    tx: EntityManager,
    { userId, issuer, issuers }: { userId: number; issuer: string; issuers: readonly string[] },
  ): Promise<void> {
    // The lock on the user lets one of two unlinks at the same time see the other.
    const [user] = await tx.query<{ has_other_way: boolean }[]>(
      `SELECT password_hash IS NOT NULL OR EXISTS (SELECT FROM passkeys WHERE user_id = $1) AS has_other_way
       FROM users WHERE id = $1 FOR NO KEY UPDATE`,
      [userId],
    );
    const linked = await this.of(userId, tx);
    if (!linked.some((one) => one.issuer === issuer)) {
      throw ApplicationError.notFound('The linked provider');
    }
    const others = linked.filter((one) => one.issuer !== issuer && issuers.includes(one.issuer));
    if (!user?.has_other_way && others.length === 0) {
      throw new ApplicationError(
        'WRONG_STATE',
        'This is the last way to sign in to the account: set a password first, by the link of “forgot password”.',
      );
    }
    await tx.query(`DELETE FROM linked_identities WHERE user_id = $1 AND issuer = $2`, [
      userId,
      issuer,
    ]);
  }

  /** What is linked to a user, the oldest first. */
  async of(userId: number, manager: EntityManager = this.dataSource.manager) {
    const rows = await manager.query<{ issuer: string; linked_at: Date }[]>(
      `SELECT issuer, linked_at FROM linked_identities WHERE user_id = $1 ORDER BY linked_at, issuer`,
      [userId],
    );
    return rows.map((row): LinkedIdentity => ({ issuer: row.issuer, linkedAt: row.linked_at }));
  }
}
