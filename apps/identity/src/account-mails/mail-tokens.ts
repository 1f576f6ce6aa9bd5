import { ApplicationError } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { hashOf, newToken } from '../secrets/secret-token.js';

/** What a token of a mail allows; a token for one purpose is unknown for every other. */
export type MailTokenPurpose = 'verify_email' | 'reset_password' | 'confirm_email_change';

/** Which address of which user a token proves. */
export interface MailProof {
  userId: number;
  email: string;
}

/** Tokens that prove a mailbox: one a user and purpose, for a time, once. The database holds their hashes. */
@Injectable()
export class MailTokens {
  constructor(private readonly dataSource: DataSource) {}

  /** Makes a token for the address; the one before stops working. */
  async mint(
    tx: EntityManager,
    purpose: MailTokenPurpose,
    { id, email }: { id: number; email: string },
    { lifetimeMs, now }: { lifetimeMs: number; now: Date },
  ): Promise<string> {
    const token = newToken();
    await tx.query(
      `INSERT INTO mail_tokens (purpose, user_id, token_hash, email, expires_at)
       VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT ON CONSTRAINT mail_tokens_pkey
       DO UPDATE SET token_hash = $3, email = $4, expires_at = $5`,
      [purpose, id, hashOf(token), email, new Date(now.getTime() + lifetimeMs)],
    );
    return token;
  }

  /**
   * What a token proves; it stays usable.
   * @throws ApplicationError INVALID_TOKEN
   */
  async find(purpose: MailTokenPurpose, token: string, now: Date): Promise<MailProof> {
    const [row] = await this.dataSource.query<ProofRow[]>(
      `SELECT user_id, email FROM mail_tokens
       WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3`,
      [hashOf(token), purpose, now],
    );
    return proofOf(row);
  }

  /**
   * Uses a token up and says what it proves.
   * @throws ApplicationError INVALID_TOKEN
   */
  async redeem(
    tx: EntityManager,
    purpose: MailTokenPurpose,
    token: string,
    now: Date,
  ): Promise<MailProof> {
    const [rows] = await tx.query<[ProofRow[], number]>(
      `DELETE FROM mail_tokens WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3
       RETURNING user_id, email`,
      [hashOf(token), purpose, now],
    );
    return proofOf(rows[0]);
  }

  /** Ends the tokens of a user: those of the purposes, or all. */
  async void(tx: EntityManager, userId: number, purposes?: MailTokenPurpose[]): Promise<void> {
    await tx.query(
      `DELETE FROM mail_tokens WHERE user_id = $1 AND ($2::text[] IS NULL OR purpose = ANY ($2))`,
      [userId, purposes ?? null],
    );
  }
}

interface ProofRow {
  user_id: number;
  email: string;
}

function proofOf(row: ProofRow | undefined): MailProof {
  if (!row) throw invalidLink();
  return { userId: row.user_id, email: row.email };
}

/** The answer to every token that does not work, whatever the reason. */
export function invalidLink(): ApplicationError {
  return new ApplicationError(
    'INVALID_TOKEN',
    'This link was used, replaced by a newer one, or has expired: ask for a new mail.',
  );
}
