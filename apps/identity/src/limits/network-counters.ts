import { ApplicationError } from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** How much one network may do within a time. */
export interface NetworkLimit {
  kind:
    | 'sign_in'
    | 'registration'
    | 'provider_visit'
    | 'provider_failure'
    | 'passkey_sign_in'
    | 'passkey_failure'
    | 'mail_request'
    | 'mail_token';
  most: number;
  windowMs: number;
  /** Completes “Too many … from your network”. */
  what: string;
}

/** Counts per network (see `sourceOf`) in the database, so that restarts and further replicas do not reset them. */
@Injectable()
export class NetworkCounters {
  constructor(private readonly clock: Clock) {}

  /**
   * Counts one more.
   * @throws ApplicationError RATE_LIMITED beyond the limit; undo the count then, by a rollback or `takeBack`
   */
  async count(tx: EntityManager, source: string, limit: NetworkLimit): Promise<void> {
    const now = this.clock.now();
    const [row] = await tx.query<{ count: number; window_ends_at: Date }[]>(
      `INSERT INTO network_counters AS c (kind, source, count, window_ends_at)
       VALUES ($1, $2, 1, $4)
       ON CONFLICT ON CONSTRAINT network_counters_pkey DO UPDATE SET
         count = CASE WHEN c.window_ends_at <= $3 THEN 1 ELSE c.count + 1 END,
         window_ends_at = CASE WHEN c.window_ends_at <= $3 THEN $4 ELSE c.window_ends_at END
       RETURNING count, window_ends_at`,
      [limit.kind, source, now, new Date(now.getTime() + limit.windowMs)],
    );
    if (row && row.count > limit.most) {
      throw tooMany(`Too many ${limit.what} from your network`, row.window_ends_at, now);
    }
  }

  /** Takes one count back: it turned out to be none. */
  async takeBack(tx: EntityManager, source: string, kind: NetworkLimit['kind']): Promise<void> {
    await tx.query(
      `UPDATE network_counters SET count = count - 1 WHERE kind = $1 AND source = $2 AND count > 0`,
      [kind, source],
    );
  }
}

/** The refusal of a caller who has to wait until an instant. */
export function tooMany(what: string, until: Date, now: Date): ApplicationError {
  const seconds = Math.max(1, Math.ceil((until.getTime() - now.getTime()) / 1000));
  const minutes = Math.ceil(seconds / 60);
  return new ApplicationError(
    'RATE_LIMITED',
    `${what}: try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`,
    { retryAfterSeconds: seconds },
  );
}
