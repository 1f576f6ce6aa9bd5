import { ApplicationError } from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { hashOf } from '../secrets/secret-token.js';
import { sourceOf } from './login-source.js';

const windowMs = 15 * 60_000;
const mostPerAccountAndSource = 10;
const mostPerSource = 20;
/** NIST SP 800-63B §5.2.2 asks for at most 100 consecutive failures of an account. */
const mostPerAccount = 100;
/** Stand for all sources, and for all accounts, together. */
const anySource = '';
const anyAccount = Buffer.alloc(0);

/**
 * Limits guessing at sign-in within 15 minutes: 10 failures in a row per account and source, 20 per source whatever the
 * accounts, 100 in a row per account from anywhere. It keeps its counts in the database, so that restarts and further
 * replicas do not reset them, and counts unknown addresses like known ones.
 *
 * A stranger elsewhere cannot lock an owner out: the limit of the account spares the sources that the owner has signed
 * in from. One in the same network can: the limits of a source spare nobody, as whom they spared would tell which
 * addresses have an account.
 */
@Injectable()
export class LoginThrottle {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  /**
   * Counts an attempt before the password is looked at, so that attempts at the same time cannot pass the limit. One
   * that is refused leaves no count behind: it never gets to show a right password, which would take its count back.
   * @throws ApplicationError RATE_LIMITED
   */
  async admit(email: string, ip: string): Promise<void> {
    const account = hashOf(email);
    const source = sourceOf(ip);
    await this.transactions.run(async (tx) => {
      // In this order for all, so that no attempts wait for each other in a circle.
      await this.count(tx, account, source, mostPerAccountAndSource);
      await this.count(tx, anyAccount, source, mostPerSource);
      if (await this.isTrusted(tx, email, source)) return;
      await this.count(tx, account, anySource, mostPerAccount);
    });
  }

  /**
   * Forgets the failures of the account that came before a right password. Those of the source with other accounts
   * stay, else whoever has an account could guess on after each sign-in.
   */
  async clear(email: string, ip: string): Promise<void> {
    const account = hashOf(email);
    const source = sourceOf(ip);
    // One row at a time, as the order in which one statement locks two is not that of admit.
    for (const from of [source, anySource]) {
      await this.dataSource.query(
        `DELETE FROM login_failures WHERE account_hash = $1 AND source = $2`,
        [account, from],
      );
    }
    await this.dataSource.query(
      `UPDATE login_failures SET failures = failures - 1
       WHERE account_hash = $1 AND source = $2 AND failures > 0`,
      [anyAccount, source],
    );
  }

  /** Counts an attempt as a failure, until it turns out to be none. */
  private async count(
    tx: EntityManager,
    account: Buffer,
    source: string,
    most: number,
  ): Promise<void> {
    const now = this.clock.now();
    const [row] = await tx.query<{ failures: number; window_ends_at: Date }[]>(
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
    const minutes = Math.ceil(seconds / 60);
    throw new ApplicationError(
      'RATE_LIMITED',
      account === anyAccount
        ? `Too many failed sign-ins from your network: try again in ${minutes} minutes.`
        : `Too many failed sign-ins: try again in ${minutes} minutes, or reset the password.`,
      { retryAfterSeconds: seconds },
    );
  }

  /** Whether the owner of the account has signed in from there. */
  private async isTrusted(tx: EntityManager, email: string, source: string): Promise<boolean> {
    const rows = await tx.query<{ ip: string }[]>(
      `SELECT DISTINCT sessions.ip FROM sessions JOIN users ON users.id = sessions.user_id
       WHERE users.email = $1`,
      [email],
    );
    return rows.some(({ ip }) => sourceOf(ip) === source);
  }
}
