import {
  ApplicationError,
  type RepublishedEvents,
  type RepublishEvents,
} from '@mentorhub/contracts';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** Puts events in line once more that were published, or parked. Handlers repeat nothing they have done. */
@Injectable()
export class Republisher {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Publishes the events of `[from, to)` again, in their order; they stay for 7 days, parked ones until they are
   * published. The broker itself drops an event that it stored within the last two minutes.
   * @throws ApplicationError VALIDATION_FAILED when a time is not an instant
   */
  async republish({ from, to, types }: RepublishEvents): Promise<RepublishedEvents> {
    const [events]: { count: number }[] = await this.dataSource.query(
      `WITH again AS (
         UPDATE outbox SET published_at = NULL, parked_at = NULL, parked_because = NULL
         WHERE occurred_at >= $1 AND occurred_at < $2
           AND (published_at IS NOT NULL OR parked_at IS NOT NULL)
           AND ($3::text[] IS NULL OR type = ANY($3))
         RETURNING 1
       )
       SELECT count(*)::int AS count FROM again`,
      [instant('from', from), instant('to', to), types ?? null],
    );
    return { events: events?.count ?? 0 };
  }
}

function instant(field: string, text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) {
    throw ApplicationError.invalid(
      field,
      `${field} must be an instant such as 2026-11-25T15:00:00Z.`,
    );
  }
  return time;
}
