import { ApplicationError, type UserSummary, Users } from '@mentorhub/contracts';
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

/** This service's copy of what identity shows of users, fed by its events. */
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
    const rows = await tx.query<(UserSummary & { erased: boolean })[]>(
      `SELECT user_id, username, full_name, avatar_url, email_verified, erased FROM people
       WHERE user_id = ANY ($1::integer[])`,
      [wanted],
    );
    return new Map(
      rows.map(({ erased, ...person }) => [
        person.user_id,
        erased ? { ...person, erased } : person,
      ]),
    );
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

  /**
   * Refuses a user whose email address is not verified. Before it refuses, it asks identity, so that a
   * verification counts at once.
   *
   * Never call it inside a transaction, like `ensure`.
   *
   * @throws ApplicationError `EMAIL_NOT_VERIFIED`; `SERVICE_UNAVAILABLE` or `DEADLINE_EXCEEDED` when identity has to be
   *   asked and does not answer
   */
  async requireVerified(userId: number): Promise<void> {
    const { manager } = this.dataSource;
    const known = (await this.find(manager, [userId])).get(userId);
    if (known?.email_verified) return;
    const { people } = await this.requests.request(Users.people, undefined, { ids: [userId] });
    await this.store(manager, people, beforeAnyEvent);
    if (!people[0]?.email_verified) {
      throw new ApplicationError(
        'EMAIL_NOT_VERIFIED',
        'Verify your email address first: follow the link in the mail, or ask for a new mail with POST /api/v1/email/send-verification.',
      );
    }
    await this.markVerified(manager, userId);
  }

  /** Notes that a user's email address is verified; a user without a row here gets it with the next answer. */
  async markVerified(tx: EntityManager, userId: number): Promise<void> {
    await tx.query(
      'UPDATE people SET email_verified = true WHERE user_id = $1 AND NOT email_verified AND NOT erased',
      [userId],
    );
  }

  /** Forgets who a user was, for good: nothing that arrives later brings the name back. */
  async erase(tx: EntityManager, userId: number): Promise<void> {
    const nobody = { username: '', full_name: '', avatar_url: null, email_verified: false };
    await this.store(tx, [{ user_id: userId, ...nobody, erased: true }], beforeAnyEvent);
  }

  /** Stores summaries as of an instant; rows that are newer stay as they are, and so do those of erased users. */
  async store(tx: EntityManager, people: readonly UserSummary[], occurredAt: Date): Promise<void> {
    if (people.length === 0) return;
    await tx.query(
      `INSERT INTO people (user_id, username, full_name, avatar_url, email_verified, erased, updated_at)
       SELECT user_id, username, full_name, avatar_url, email_verified, erased, $7
       FROM unnest($1::integer[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::boolean[])
         AS person (user_id, username, full_name, avatar_url, email_verified, erased)
       ORDER BY user_id
       ON CONFLICT (user_id) DO UPDATE
       SET username = excluded.username, full_name = excluded.full_name,
           avatar_url = excluded.avatar_url, email_verified = excluded.email_verified,
           erased = excluded.erased, updated_at = excluded.updated_at
       WHERE NOT people.erased AND (excluded.erased OR people.updated_at <= excluded.updated_at)`,
      [
        people.map((person) => person.user_id),
        people.map((person) => person.username),
        people.map((person) => person.full_name),
        people.map((person) => person.avatar_url),
        // Missing in events of older versions: then identity is asked.
        people.map((person) => person.email_verified ?? false),
        people.map((person) => person.erased ?? false),
        occurredAt,
      ],
    );
  }
}
