import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { hashOf, newToken } from '../secrets/secret-token.js';
import type { SignInMethod } from '../sessions/session.entity.js';

export const challengeSeconds = 300;
const mostTries = 5;

/** A sign-in that waits for its second step. */
export interface PendingSignIn {
  userId: number;
  /** How the first step was done. */
  method: SignInMethod;
}

interface PendingRow {
  user_id: number;
  method: SignInMethod;
}

/** Sign-ins between their two steps: opaque challenges, 5 minutes, 5 tries, one session. The database holds hashes. */
@Injectable()
export class SignInChallenges {
  async issue(tx: EntityManager, { userId, method }: PendingSignIn, now: Date): Promise<string> {
    const challenge = newToken();
    await tx.query(
      `INSERT INTO sign_in_challenges (challenge_hash, user_id, method, expires_at)
       VALUES ($1, $2, $3, $4)`,
      [hashOf(challenge), userId, method, new Date(now.getTime() + challengeSeconds * 1000)],
    );
    return challenge;
  }

  /** Counts a try; undefined when the challenge is unknown, used, expired or out of tries. Locks it until the commit. */
  async attempt(
    tx: EntityManager,
    challenge: string,
    now: Date,
  ): Promise<PendingSignIn | undefined> {
    const [rows] = await tx.query<[PendingRow[], number]>(
      `UPDATE sign_in_challenges SET tries = tries + 1
       WHERE challenge_hash = $1 AND expires_at > $2 AND tries < $3
       RETURNING user_id, method`,
      [hashOf(challenge), now, mostTries],
    );
    return rows[0] && { userId: rows[0].user_id, method: rows[0].method };
  }

  /** Who a challenge was issued to; it stays usable. */
  async find(tx: EntityManager, challenge: string, now: Date): Promise<PendingSignIn | undefined> {
    const [row] = await tx.query<PendingRow[]>(
      `SELECT user_id, method FROM sign_in_challenges
       WHERE challenge_hash = $1 AND expires_at > $2 AND tries < $3`,
      [hashOf(challenge), now, mostTries],
    );
    return row && { userId: row.user_id, method: row.method };
  }

  /** Uses a challenge up. */
  async remove(tx: EntityManager, challenge: string): Promise<void> {
    await tx.query(`DELETE FROM sign_in_challenges WHERE challenge_hash = $1`, [hashOf(challenge)]);
  }

  /** Ends the sign-ins of users that have not been completed. */
  async removeOf(tx: EntityManager, userIds: readonly number[]): Promise<void> {
    await tx.query(`DELETE FROM sign_in_challenges WHERE user_id = ANY ($1)`, [userIds]);
  }
}
