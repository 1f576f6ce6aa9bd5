import { ApplicationError, type Locale, Users } from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** How a user reads. */
export interface Recipient {
  locale: Locale;
  /** IANA. */
  timezone: string;
}

/** The instant of identity's answers, which carry none: any event overwrites them. */
const beforeAnyEvent = new Date(0);

/** A silent identity delays the readers behind this one by no more. */
const requestDeadlineMs = 2000;

/** This service's copy of the language and time zone of every user, fed by identity's events. */
@Injectable()
export class Recipients {
  constructor(private readonly requests: RequestClient) {}

  /** Stores language and zone as of an instant; a row that is newer stays as it is, and an erased user gets none. */
  async store(
    tx: EntityManager,
    { user_id, locale, timezone }: Recipient & { user_id: number },
    occurredAt: Date,
  ): Promise<void> {
    await tx.query(
      `INSERT INTO recipients (user_id, locale, timezone, updated_at)
       SELECT $1, $2, $3, $4 WHERE NOT EXISTS (SELECT FROM erased_users WHERE user_id = $1)
       ON CONFLICT (user_id) DO UPDATE
       SET locale = excluded.locale, timezone = excluded.timezone, updated_at = excluded.updated_at
       WHERE recipients.updated_at <= excluded.updated_at`,
      [user_id, locale, timezone, occurredAt],
    );
  }

  /** How a user reads; undefined when that is not known here yet. */
  async find(tx: EntityManager, userId: number): Promise<Recipient | undefined> {
    const [known] = await tx.query<Recipient[]>(
      'SELECT locale, timezone FROM recipients WHERE user_id = $1',
      [userId],
    );
    return known;
  }

  /**
   * How a user reads, requested from identity; English and UTC for one whom identity does not know any more. Never call
   * it inside a transaction.
   *
   * @throws ApplicationError `SERVICE_UNAVAILABLE` or `DEADLINE_EXCEEDED` when identity does not answer
   */
  async request(userId: number): Promise<Recipient> {
    try {
      return await this.requests.request(
        Users.contact,
        undefined,
        { user_id: userId },
        { deadlineMs: requestDeadlineMs },
      );
    } catch (error) {
      if (!(error instanceof ApplicationError) || error.code !== 'NOT_FOUND') throw error;
      return { locale: 'en', timezone: 'UTC' };
    }
  }

  /** Stores an answer of identity; what an event brought stays. */
  storeAnswer(tx: EntityManager, userId: number, answer: Recipient): Promise<void> {
    return this.store(tx, { ...answer, user_id: userId }, beforeAnyEvent);
  }
}
