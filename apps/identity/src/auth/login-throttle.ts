import { CodedError } from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { hashOf } from '../secrets/secret-token.js';
import { sourceOf } from './login-source.js';

const windowMs = 15 * 60_000;
const mostPerSource = 10;
/** NIST SP 800-63B §5.2.2 asks for at most 100 consecutive failures of an account. */
const mostPerAccount = 100;
/** Stands for all sources together. */
const anySource = '';

/**
 * Limits guessing at sign-in: 10 failures in a row per account and source within 15 minutes, 100 per account from
 * anywhere. It keeps its counts in the database, so that restarts and further replicas do not reset them, and counts
 * unknown addresses like known ones.
 *
 * A stranger cannot lock an owner out: the limit of the account spares the sources that the owner has signed in from.
 */
@Injectable()
export class LoginThrottle {
  constructor(
    private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {}

  /**
   * Counts an attempt before the password is looked at, so that attempts at the same time cannot pass the limit.
   * @throws CodedError RATE_LIMITED
   */
  async admit(email: string, ip: string): Promise<void> {
    const account = hashOf(email);
    await this.count(account, sourceOf(ip), mostPerSource);
    if (await this.isTrusted(email, ip)) return;
    await this.count(account, anySource, mostPerAccount);
  }

  /** Forgets the failures that came before a right password. */
  async clear(email: string, ip: string): Promise<void> {
    await this.dataSource.query(
      `DELETE FROM login_failures WHERE account_hash = $1 AND source = ANY ($2)`,
      [hashOf(email), [sourceOf(ip), anySource]],
    );
  }

  private async count(account: Buffer, source: string, most: number): Promise<void> {
    const now = this.clock.now();
    const [row] = await this.dataSource.query<{ failures: number; window_ends_at: Date }[]>(
      `INSERT INTO login_failures AS f (account_hash, source, failures, window_ends_at)
       VALUES ($1, $2, 1, $4)
       ON CONFLICT ON CONSTRAINT login_failures_pkey DO UPDATE SET
         failures = CASE WHEN f.window_ends_at <= $3 THEN 1 ELSE f.failures + 1 END,
         window_ends_at = CASE WHEN f.window_ends_at <= $3 THEN $4 ELSE f.window_ends_at END
       RETURNING failures, window_ends_at`,
      [account, source, now, new Date(now.getTime() + windowMs)],
    );
    if (!row || row.failures <= most) return;
    const seconds = Math.max(1, Math.ceil((row.window_ends_at.getTime() - now.getTime()) / 1000));
    throw new CodedError(
      'RATE_LIMITED',
      `Too many failed sign-ins: try again in ${Math.ceil(seconds / 60)} minutes, or reset the password.`,
      { retryAfterSeconds: seconds },
    );
  }

  /** Whether the owner of the account has signed in from there. */
  private async isTrusted(email: string, ip: string): Promise<boolean> {
    const [row] = await this.dataSource.query<{ trusted: boolean }[]>(
      `SELECT EXISTS (
         SELECT FROM sessions JOIN users ON users.id = sessions.user_id
         WHERE users.email = $1 AND sessions.ip = $2
       ) AS trusted`,
      [email, ip],
    );
    return row?.trusted ?? false;
  }
}
