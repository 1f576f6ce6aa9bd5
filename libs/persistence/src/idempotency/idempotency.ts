import { createHash } from 'node:crypto';
import { ApplicationError } from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { canonicalJson } from './canonical-json.js';

export interface IdempotentRequest {
  /** Keys of different users never meet. */
  userId: number;
  /** What is done, `payments.create`: the same key may serve different operations. */
  operation: string;
  /** The client's `Idempotency-Key`, 1 to 255 characters; without one the work simply runs. */
  key: string | undefined;
  /** The request; a key that comes back with another one is refused. */
  request: unknown;
}

interface StoredAnswer {
  request_hash: Buffer;
  response: unknown;
  expired: boolean;
}

/** How long an answer is kept, as a PostgreSQL interval. */
export const keptFor = '24 hours';

/** Makes a repeated request get the first one's answer instead of a second effect. */
@Injectable()
export class Idempotency {
  /**
   * Runs `work` and stores its answer under the key, in the same transaction: both happen or neither. A repetition
   * within 24 hours gets the stored answer, as JSON made it; one that arrives while the first is still at work waits
   * for it. Work that throws stores nothing, so it may be tried again.
   *
   * @throws ApplicationError `IDEMPOTENCY_KEY_REUSED` when the key was used for another request,
   *   `VALIDATION_FAILED` when it is too long
   */
  async run<T>(
    tx: EntityManager,
    { userId, operation, key, request }: IdempotentRequest,
    work: () => Promise<T>,
  ): Promise<T> {
    const attempt = { userId, operation, key, request };
    const stored = await this.take(tx, attempt);
    if (stored) return stored.response as T;
    const answer = await work();
    if (key === undefined) return answer;
    await tx.query(
      'UPDATE idempotency_keys SET response = $4 WHERE user_id = $1 AND operation = $2 AND key = $3',
      [userId, operation, key, answer === undefined ? null : JSON.stringify(answer)],
    );
    return answer;
  }

  /**
   * For work that calls a provider, which no transaction may wait for: takes the key in the transaction of the work's
   * first step. Resolves to the stored answer when the work was completed before; else the work is to be done, or to go
   * on where an earlier attempt ended, and its answer given to `complete`. Each step of such work must do nothing when
   * it is repeated, also by a twin at the same time.
   *
   * @throws ApplicationError as `run` does
   */
  async begin<T extends object>(
    tx: EntityManager,
    attempt: IdempotentRequest,
  ): Promise<{ answer: T } | undefined> {
    const stored = await this.take(tx, attempt);
    return stored && stored.response !== null ? { answer: stored.response as T } : undefined;
  }

  /** Stores the answer of work that `begin` began; resolves to the answer of the attempt that was completed first. */
  async complete<T extends object>(
    tx: EntityManager,
    { userId, operation, key }: IdempotentRequest,
    answer: T,
  ): Promise<T> {
    if (key === undefined) return answer;
    const [[stored]] = await tx.query<[{ response: T }[], number]>(
      `UPDATE idempotency_keys SET response = coalesce(response, $4)
       WHERE user_id = $1 AND operation = $2 AND key = $3 RETURNING response`,
      [userId, operation, key, JSON.stringify(answer)],
    );
    return stored?.response ?? answer;
  }

  /** Takes a key; resolves to what is stored under it when it is taken already. */
  private async take(
    tx: EntityManager,
    { userId, operation, key, request }: IdempotentRequest,
  ): Promise<StoredAnswer | undefined> {
    if (key === undefined) return undefined;
    if (key.length < 1 || key.length > 255 || key.includes('\0')) {
      throw ApplicationError.invalid(
        'Idempotency-Key',
        'Idempotency-Key must have 1 to 255 characters.',
      );
    }
    const hash = createHash('sha256').update(canonicalJson(request)).digest();
    const place = [userId, operation, key];

    for (;;) {
      // Waits here while a twin holds the key in an open transaction; inserts when that one is rolled back.
      const inserted = await tx.query<unknown[]>(
        `INSERT INTO idempotency_keys (user_id, operation, key, request_hash) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING RETURNING 1`,
        [...place, hash],
      );
      if (inserted.length > 0) return undefined;
      const [stored] = await tx.query<StoredAnswer[]>(
        `SELECT request_hash, response, created_at < now() - interval '${keptFor}' AS expired
         FROM idempotency_keys WHERE user_id = $1 AND operation = $2 AND key = $3 FOR UPDATE`,
        place,
      );
      if (!stored) continue;
      if (stored.expired) {
        await tx.query(
          'DELETE FROM idempotency_keys WHERE user_id = $1 AND operation = $2 AND key = $3',
          place,
        );
        continue;
      }
      if (!stored.request_hash.equals(hash)) {
        throw new ApplicationError(
          'IDEMPOTENCY_KEY_REUSED',
          'This Idempotency-Key was used for a different request: send a new key with each new request.',
        );
      }
      return stored;
    }
  }
}
