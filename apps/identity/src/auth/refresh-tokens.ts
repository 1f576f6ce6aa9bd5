import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { hashOf, newToken } from '../secrets/secret-token.js';

/**
 * How long after its use a refresh token may turn up again without alarm: two tabs, or a client that repeats a request
 * whose answer it lost, are no theft. They get no tokens either.
 */
const graceMs = 10_000;

/** What became of a refresh token that was presented. */
export type Redemption =
  | { outcome: 'redeemed'; sessionId: number }
  | { outcome: 'raced' }
  | { outcome: 'reused'; sessionId: number }
  | { outcome: 'unknown' };

/** Opaque tokens that work once and belong to a session; the database holds their hashes. */
@Injectable()
export class RefreshTokens {
  /** Makes the next token of a session. */
  async issue(tx: EntityManager, sessionId: number, now: Date): Promise<string> {
    const token = newToken();
    await tx.query(
      `INSERT INTO refresh_tokens (token_hash, session_id, created_at) VALUES ($1, $2, $3)`,
      [hashOf(token), sessionId, now],
    );
    return token;
  }

  /** Uses a token up. Of those who present it at the same time, the row lock lets one redeem it. */
  async redeem(tx: EntityManager, token: string, now: Date): Promise<Redemption> {
    const hash = hashOf(token);
    const [used] = await tx.query<[{ session_id: number }[], number]>(
      `UPDATE refresh_tokens SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL
       RETURNING session_id`,
      [hash, now],
    );
    if (used[0]) return { outcome: 'redeemed', sessionId: used[0].session_id };
    const [row] = await tx.query<{ session_id: number; used_at: Date }[]>(
      `SELECT session_id, used_at FROM refresh_tokens WHERE token_hash = $1`,
      [hash],
    );
    if (!row) return { outcome: 'unknown' };
    return now.getTime() - row.used_at.getTime() <= graceMs
      ? { outcome: 'raced' }
      : { outcome: 'reused', sessionId: row.session_id };
  }
}
