import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { tooMany } from './network-counters.js';

/** How much one user may do within a time. */
export interface UserLimit {
  kind: 'avatar_upload' | 'export';
  most: number;
  windowMs: number;
  /** Completes “Too many …”. */
  what: string;
}

/** Counts per user in the database, so that restarts and further replicas do not reset them. */
@Injectable()
export class UserCounters {
  constructor(
    private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {}

  /** Counts one more; one beyond the limit counts, too, and changes nothing. @throws ApplicationError RATE_LIMITED */
  async count(userId: number, { kind, most, windowMs, what }: UserLimit): Promise<void> {
    const now = this.clock.now();
    const [row] = await this.dataSource.query<{ count: number; window_ends_at: Date }[]>(
      `INSERT INTO user_counters AS c (kind, user_id, count, window_ends_at) VALUES ($1, $2, 1, $4)
       ON CONFLICT ON CONSTRAINT user_counters_pkey DO UPDATE SET
         count = CASE WHEN c.window_ends_at <= $3 THEN 1 ELSE least(c.count, $5) + 1 END,
         window_ends_at = CASE WHEN c.window_ends_at <= $3 THEN $4 ELSE c.window_ends_at END
       RETURNING count, window_ends_at`,
      [kind, userId, now, new Date(now.getTime() + windowMs), most],
    );
    if (row && row.count > most) throw tooMany(`Too many ${what}`, row.window_ends_at, now);
  }

  /** Forgets times that are over. */
  async sweep(): Promise<void> {
    await this.dataSource.query('DELETE FROM user_counters WHERE window_ends_at < $1', [
      this.clock.now(),
    ]);
  }
}
