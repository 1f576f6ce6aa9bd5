import { ApplicationError } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { hashOf, newToken } from '../secrets/secret-token.js';

export const verificationHours = 24;
const lifetimeMs = verificationHours * 3_600_000;

/** Tokens that prove a mailbox: one a user, 24 hours, once. The database holds their hashes. */
@Injectable()
export class VerificationTokens {
  constructor(private readonly dataSource: DataSource) {}

  /** Makes a token for the address; the one before stops working. */
  async mint(tx: EntityManager, user: { id: number; email: string }, now: Date): Promise<string> {
    const token = newToken();
    await tx.query(
      `INSERT INTO email_verifications (user_id, token_hash, email, expires_at)
       VALUES ($1, $2, $3, $4)
       ON CONFLICT ON CONSTRAINT email_verifications_pkey
       DO UPDATE SET token_hash = $2, email = $3, expires_at = $4`,
      [user.id, hashOf(token), user.email, new Date(now.getTime() + lifetimeMs)],
    );
    return token;
  }

  /**
   * Which address of which user a token proves; it stays usable.
   * @throws ApplicationError INVALID_TOKEN
   */
  async find(token: string, now: Date): Promise<{ userId: number; email: string }> {
    const [row] = await this.dataSource.query<{ user_id: number; email: string }[]>(
      `SELECT user_id, email FROM email_verifications WHERE token_hash = $1 AND expires_at > $2`,
      [hashOf(token), now],
    );
    if (!row) throw invalidLink();
    return { userId: row.user_id, email: row.email };
  }

  /**
   * Uses a token up and says which address of which user it proves.
   * @throws ApplicationError INVALID_TOKEN
   */
  async redeem(
    tx: EntityManager,
    token: string,
    now: Date,
  ): Promise<{ userId: number; email: string }> {
    const [rows] = await tx.query<[{ user_id: number; email: string }[], number]>(
      `DELETE FROM email_verifications WHERE token_hash = $1 AND expires_at > $2
       RETURNING user_id, email`,
      [hashOf(token), now],
    );
    if (!rows[0]) throw invalidLink();
    return { userId: rows[0].user_id, email: rows[0].email };
  }
}

export function invalidLink(): ApplicationError {
  return new ApplicationError(
    'INVALID_TOKEN',
    'This link was used, replaced by a newer one, or has expired: ask for a new mail.',
  );
}
