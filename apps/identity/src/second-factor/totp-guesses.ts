import type { ApplicationError } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { tooMany } from '../limits/network-counters.js';

/** Wrong codes in a row without a delay. */
const free = 10;

/** A try that may be made, or why it may not. */
export type Admission =
  | {
      refusal?: undefined;
      /** If this code is wrong, the next try has to wait. */
      isLastFree: boolean;
    }
  | { refusal: ApplicationError };

/** Where codes are asked for: from whoever has the password, or from somebody signed in. */
export type GuessPlace = 'sign_in' | 'session';

/**
 * Limits guessing the six digits, whatever the number of sign-ins, networks and replicas: after 10 wrong codes in a row,
 * each further one doubles the time until the next try, from one minute to one hour, until a right code. Sign-ins and
 * signed-in devices are counted apart, and recovery codes and passkeys not at all: one who guesses with a stolen password
 * locks the owner neither out of their devices nor out of the recovery.
 */
@Injectable()
export class TotpGuesses {
  /** Counts a try before its code is checked, so that concurrent ones cannot exceed the limit; or says why not. */
  async admit(tx: EntityManager, userId: number, place: GuessPlace, now: Date): Promise<Admission> {
    const [row] = await tx.query<{ failures: number }[]>(
      `INSERT INTO totp_guesses AS g (user_id, place, failures, retry_at, last_failed_at)
       VALUES ($1, $2, 1, $3, $3)
       ON CONFLICT ON CONSTRAINT totp_guesses_pkey DO UPDATE SET
         failures = g.failures + 1,
         retry_at = $3::timestamptz + CASE WHEN g.failures + 1 < $4 THEN interval '0'
           ELSE least(interval '1 minute' * power(2, least(g.failures + 1 - $4, 10)), interval '1 hour') END,
         last_failed_at = $3
       WHERE g.retry_at <= $3
       RETURNING failures`,
      [userId, place, now, free],
    );
    if (row) return { isLastFree: row.failures === free };
    const [refused] = await tx.query<{ retry_at: Date }[]>(
      `SELECT retry_at FROM totp_guesses WHERE user_id = $1 AND place = $2`,
      [userId, place],
    );
    const what =
      'Too many wrong codes of the authenticator app; a recovery code or a passkey works at once';
    return { refusal: tooMany(what, refused?.retry_at ?? now, now) };
  }

  /** Forgets the wrong codes, after a right one; of all places once the app is removed. */
  async clear(tx: EntityManager, userId: number, place?: GuessPlace): Promise<void> {
    await tx.query(
      `DELETE FROM totp_guesses WHERE user_id = $1 AND ($2::text IS NULL OR place = $2)`,
      [userId, place ?? null],
    );
  }
}
