import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { IdentityConfig } from '../config.js';
import { SecretBox } from '../secrets/secret-box.js';
import { hashOf, newToken } from '../secrets/secret-token.js';

/**
 * How long after its use a refresh token gets its successor again: two tabs, or a client that repeats a request whose
 * answer was lost, are no theft.
 */
const graceMs = 10_000;
/** Longest chain of successors that is followed within that time. */
const mostHops = 32;

/** The successor of a token, and when it was issued. */
export interface Successor {
  token: string;
  issuedAt: Date;
}

/** What became of a refresh token that was presented. */
export type Redemption =
  | { outcome: 'redeemed'; sessionId: number }
  | { outcome: 'repeated'; sessionId: number; successor: Successor }
  | { outcome: 'reused'; sessionId: number }
  | { outcome: 'unknown' };

interface UsedRow {
  session_id: number;
  used_at: Date;
  successor: Buffer | null;
}

/**
 * Opaque tokens that work once and belong to a session; the database holds their hashes. For ten seconds after its use
 * a token also leads to its successor, which is stored encrypted with a key made of `SECRET_KEY` and the token itself:
 * the database alone reveals nothing.
 */
@Injectable()
export class RefreshTokens {
  constructor(@Inject(CONFIG) private readonly config: IdentityConfig) {}

  /** Makes the next token of a session; as the successor of the one that was just redeemed, if there is one. */
  async issue(
    tx: EntityManager,
    sessionId: number,
    now: Date,
    predecessor?: string,
  ): Promise<string> {
    const token = newToken();
    await tx.query(
      `INSERT INTO refresh_tokens (token_hash, session_id, created_at) VALUES ($1, $2, $3)`,
      [hashOf(token), sessionId, now],
    );
    if (predecessor !== undefined) {
      const hash = hashOf(predecessor);
      await tx.query(`UPDATE refresh_tokens SET successor = $2 WHERE token_hash = $1`, [
        hash,
        this.boxOf(predecessor).seal(token, hash.toString('hex')),
      ]);
    }
    return token;
  }

  /**
   * Uses a token up. Of several requests that present it at the same time, the row lock lets one redeem it; the others
   * wait for its commit and get the same successor.
   */
  async redeem(tx: EntityManager, token: string, now: Date): Promise<Redemption> {
    const hash = hashOf(token);
    const [used] = await tx.query<[{ session_id: number }[], number]>(
      `UPDATE refresh_tokens SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL
       RETURNING session_id`,
      [hash, now],
    );
    if (used[0]) {
      const sessionId = used[0].session_id;
      // Older tokens lead to no successor any more, so none has to be stored.
      await tx.query(
        `UPDATE refresh_tokens SET successor = NULL
         WHERE session_id = $1 AND successor IS NOT NULL AND used_at < $2`,
        [sessionId, new Date(now.getTime() - graceMs)],
      );
      return { outcome: 'redeemed', sessionId };
    }
    const row = await this.usedRow(tx, token);
    if (!row) return { outcome: 'unknown' };
    const sessionId = row.session_id;
    if (now.getTime() - row.used_at.getTime() > graceMs) return { outcome: 'reused', sessionId };
    const successor = await this.latestSuccessor(tx, token, row);
    return successor ? { outcome: 'repeated', sessionId, successor } : { outcome: 'unknown' };
  }

  /** The successor of a used token; where that was used as well in these seconds, its successor. */
  private async latestSuccessor(
    tx: EntityManager,
    token: string,
    row: UsedRow,
  ): Promise<Successor | undefined> {
    let [presented, used]: [string, UsedRow | undefined] = [token, row];
    for (let hops = 0; hops < mostHops; hops++) {
      // None: the session had ended when the token was redeemed.
      if (!used?.successor) return undefined;
      const issuedAt: Date = used.used_at;
      presented = this.boxOf(presented).open(used.successor, hashOf(presented).toString('hex'));
      used = await this.usedRow(tx, presented);
      if (!used) return { token: presented, issuedAt };
    }
    return undefined;
  }

  private async usedRow(tx: EntityManager, token: string): Promise<UsedRow | undefined> {
    const [row] = await tx.query<UsedRow[]>(
      `SELECT session_id, used_at, successor FROM refresh_tokens
       WHERE token_hash = $1 AND used_at IS NOT NULL`,
      [hashOf(token)],
    );
    return row;
  }

  private boxOf(token: string): SecretBox {
    return new SecretBox(`${this.config.SECRET_KEY}.${token}`, 'refresh token successors');
  }
}
