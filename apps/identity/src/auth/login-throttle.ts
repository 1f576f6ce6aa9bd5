import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { NetworkCounters, type NetworkLimit, tooMany } from '../limits/network-counters.js';
import { hashOf } from '../secrets/secret-token.js';
import { sourceOf } from '../limits/source.js';

/** Failures without a delay, of an account from one source. */
const freePerSource = 10;
/** The same from all sources together. NIST SP 800-63B §5.2.2 allows at most 100 in a row. */
const freePerAccount = 100;
/** Stands for all sources together. */
const anySource = '';

const networkLimit: NetworkLimit = {
  kind: 'sign_in',
  most: 20,
  windowMs: 15 * 60_000,
  what: 'failed sign-ins',
};

/** A sign-in attempt. It counts as a failure until the password proves right. */
export interface SignInAttempt {
  readonly account: Buffer;
  readonly source: string;
  /** The account's counters that it raised, each with the time of the next permitted attempt. */
  readonly counted: readonly { source: string; retryAt: Date }[];
}

/**
 * Limits guessing at sign-in. An account's failures in a row are counted per source and over all sources, until a
 * right password clears them: after 10 from a source, or 100 in all, each further failure doubles the time until the
 * next attempt, from one minute to one hour. A source also has 20 failures in 15 minutes, whatever the accounts. The
 * counts are in the database, so that restarts and further replicas do not reset them, and unknown addresses are
 * counted like known ones.
 *
 * Failures from elsewhere cannot lock the owner out: the account-wide delay does not apply to sources from which the
 * owner has signed in. Failures from the owner's own network can: the limits of a source apply to every account alike,
 * because an exception would reveal which addresses have an account.
 */
@Injectable()
export class LoginThrottle {
  constructor(
    private readonly dataSource: DataSource,
    private readonly transactions: Transactions,
    private readonly networks: NetworkCounters,
    private readonly clock: Clock,
  ) {}

  /**
   * Counts an attempt before its password is checked, so that concurrent attempts cannot exceed the limit. A refused
   * attempt is not counted.
   * @throws ApplicationError RATE_LIMITED
   */
  async admit(email: string, ip: string): Promise<SignInAttempt> {
    const account = hashOf(email);
    const source = sourceOf(ip);
    const counted = await this.transactions.run(async (tx) => {
      // Always in this order, so that concurrent attempts cannot deadlock.
      const perSource = await this.count(tx, account, source, freePerSource);
      await this.networks.count(tx, source, networkLimit);
      if (await this.isTrusted(tx, email, source)) return [perSource];
      return [perSource, await this.count(tx, account, anySource, freePerAccount)];
    });
    return { account, source, counted };
  }

  /**
   * Clears the failures of the account after a successful sign-in. Failures of the source with other accounts stay:
   * otherwise an attacker with an account of their own could clear them by signing in.
   */
  async clear({ account, source }: SignInAttempt): Promise<void> {
    // One statement per row: a single one could lock the rows in another order than admit, and deadlock.
    for (const from of [source, anySource]) {
      await this.dataSource.query(
        `DELETE FROM sign_in_failures WHERE account_hash = $1 AND source = $2`,
        [account, from],
      );
    }
    await this.networks.takeBack(this.dataSource.manager, source, 'sign_in');
  }

  /** Clears the failures of an account from everywhere: its owner has proven the mailbox and chosen a new password. */
  async forgive(email: string): Promise<void> {
    // Locked in the order of `admit`, so that the two cannot deadlock.
    await this.dataSource.query(
      `DELETE FROM sign_in_failures USING (
         SELECT source FROM sign_in_failures WHERE account_hash = $1 ORDER BY source DESC FOR UPDATE
       ) AS locked
       WHERE account_hash = $1 AND sign_in_failures.source = locked.source`,
      [hashOf(email)],
    );
  }

  /** Takes back an attempt whose password was not checked. */
  async withdraw({ account, source, counted }: SignInAttempt): Promise<void> {
    for (const counter of counted) {
      await this.dataSource.query(
        `UPDATE sign_in_failures
         SET failures = failures - 1, retry_at = CASE WHEN retry_at = $3 THEN $4 ELSE retry_at END
         WHERE account_hash = $1 AND source = $2 AND failures > 0`,
        [account, counter.source, counter.retryAt, this.clock.now()],
      );
    }
    await this.networks.takeBack(this.dataSource.manager, source, 'sign_in');
  }

  private async count(
    tx: EntityManager,
    account: Buffer,
    source: string,
    free: number,
  ): Promise<{ source: string; retryAt: Date }> {
    const now = this.clock.now();
    const [row] = await tx.query<{ retry_at: Date }[]>(
      `INSERT INTO sign_in_failures AS f (account_hash, source, failures, retry_at, last_failed_at)
       VALUES ($1, $2, 1, $3, $3)
       ON CONFLICT ON CONSTRAINT sign_in_failures_pkey DO UPDATE SET
         failures = f.failures + 1,
         retry_at = $3::timestamptz + CASE WHEN f.failures + 1 < $4 THEN interval '0'
           ELSE least(interval '1 minute' * power(2, least(f.failures + 1 - $4, 10)), interval '1 hour') END,
         last_failed_at = $3
       WHERE f.retry_at <= $3
       RETURNING retry_at`,
      [account, source, now, free],
    );
    if (row) return { source, retryAt: row.retry_at };
    const [refused] = await tx.query<{ retry_at: Date }[]>(
      `SELECT retry_at FROM sign_in_failures WHERE account_hash = $1 AND source = $2`,
      [account, source],
    );
    throw tooMany('Too many failed sign-ins', refused?.retry_at ?? now, now);
  }

  /** Whether the owner of the account has signed in from that source. */
  private async isTrusted(tx: EntityManager, email: string, source: string): Promise<boolean> {
    const rows = await tx.query<{ ip: string }[]>(
      `SELECT DISTINCT sessions.ip FROM sessions JOIN users ON users.id = sessions.user_id
       WHERE users.email = $1`,
      [email],
    );
    return rows.some(({ ip }) => sourceOf(ip) === source);
  }
}
