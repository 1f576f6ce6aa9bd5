import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { hashOf, newToken } from '../secrets/secret-token.js';

export const challengeMs = 300_000;

/** What a passkey is asked for, and by whom. */
export type ChallengeUse =
  /** A signed-in device registers one, or proves that its user is there. */
  | { purpose: 'registration' | 'confirmation'; sessionId: number }
  /** It is the second step of a sign-in, by that sign-in's challenge. */
  | { purpose: 'second_step'; challenge: string }
  /** It is the whole of a sign-in, of whom nothing is known yet. */
  | { purpose: 'sign_in' };

/** Challenges for authenticators: 5 minutes, once, for one use; a newer one replaces the older. The database holds hashes. */
@Injectable()
export class PasskeyChallenges {
  /** Makes one, base64url. @param userHandle what a registration will store */
  async issue(
    tx: EntityManager,
    use: ChallengeUse,
    now: Date,
    userHandle?: Buffer,
  ): Promise<string> {
    const challenge = newToken();
    const hash = hashOf(challenge);
    await tx.query(
      `INSERT INTO passkey_challenges (challenge_hash, purpose, holder, user_handle, expires_at)
       VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT ON CONSTRAINT passkey_challenges_holder_key
       DO UPDATE SET challenge_hash = $1, user_handle = $4, expires_at = $5`,
      [
        hash,
        use.purpose,
        holderOf(use, hash),
        userHandle ?? null,
        new Date(now.getTime() + challengeMs),
      ],
    );
    return challenge;
  }

  /** Uses a challenge up, whatever comes of it; undefined unless it was issued for this use. */
  async redeem(
    tx: EntityManager,
    use: ChallengeUse,
    challenge: string,
    now: Date,
  ): Promise<{ userHandle: Buffer | null } | undefined> {
    const hash = hashOf(challenge);
    const [rows] = await tx.query<[{ user_handle: Buffer | null }[], number]>(
      `DELETE FROM passkey_challenges
       WHERE challenge_hash = $1 AND purpose = $2 AND holder = $3 AND expires_at > $4
       RETURNING user_handle`,
      [hash, use.purpose, holderOf(use, hash), now],
    );
    return rows[0] && { userHandle: rows[0].user_handle };
  }
}

/** Who alone may answer a challenge; where that is anybody, each challenge stands for itself. */
function holderOf(use: ChallengeUse, hash: Buffer): string {
  if ('sessionId' in use) return String(use.sessionId);
  return (use.purpose === 'second_step' ? hashOf(use.challenge) : hash).toString('hex');
}
