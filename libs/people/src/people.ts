import { type UserSummary, Users } from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

/** Most ids that one `Users.people` request may contain. */
const idsPerRequest = 200;

/**
 * The instant of identity's answers, which carry none: older than every event, so that an event still on its way
 * overwrites them, and the last event wins.
 */
const beforeAnyEvent = new Date(0);

/** This service's copy of names and avatars, fed by identity's events. */
@Injectable()
export class People {
  constructor(
    private readonly dataSource: DataSource,
    private readonly requests: RequestClient,
  ) {}

  /** Those of `ids` that have a row here, by user id. One query. */
  async find(tx: EntityManager, ids: readonly number[]): Promise<Map<number, UserSummary>> {
    const wanted = [...new Set(ids)];
    if (wanted.length === 0) return new Map();
    const rows = await tx.query<UserSummary[]>(
      `SELECT user_id, username, full_name, avatar_url FROM people WHERE user_id = ANY ($1::integer[])`,
      [wanted],
    );
    return new Map(rows.map((row) => [row.user_id, row]));
  }

  /**
   * The people with these ids, by user id. Those without a row here, because the event is still on its way or the
   * service is new, are requested from identity and stored, each answer in a statement of its own. Ids that identity
   * does not know are left out.
   *
   * Never call it inside a transaction: that would keep its locks while identity answers. Resolve people first.
   *
   * @throws ApplicationError `SERVICE_UNAVAILABLE` or `DEADLINE_EXCEEDED` when a request is needed and identity does not answer
   */
  async ensure(ids: readonly number[]): Promise<Map<number, UserSummary>> {
    const { manager } = this.dataSource;
    const known = await this.find(manager, ids);
    const missing = [...new Set(ids)].filter((id) => !known.has(id));
    for (let from = 0; from < missing.length; from += idsPerRequest) {
      const { people } = await this.requests.request(Users.people, undefined, {
        ids: missing.slice(from, from + idsPerRequest),
      });
      for (const person of people) known.set(person.user_id, person);
      await this.store(manager, people, beforeAnyEvent);
    }
    return known;
  }

  /** Stores summaries as of an instant; rows that are newer stay as they are. */
  async store(tx: EntityManager, people: readonly UserSummary[], occurredAt: Date): Promise<void> {
    if (people.length === 0) return;
    await tx.query(
      `INSERT INTO people (user_id, username, full_name, avatar_url, updated_at)
       SELECT user_id, username, full_name, avatar_url, $5
       FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[])
         AS person (user_id, username, full_name, avatar_url)
       ORDER BY user_id
       ON CONFLICT (user_id) DO UPDATE
       SET username = excluded.username, full_name = excluded.full_name,
           avatar_url = excluded.avatar_url, updated_at = excluded.updated_at
       WHERE people.updated_at <= excluded.updated_at`,
      [
        people.map((person) => person.user_id),
        people.map((person) => person.username),
        people.map((person) => person.full_name),
        people.map((person) => person.avatar_url),
        occurredAt,
      ],
    );
  }
}
