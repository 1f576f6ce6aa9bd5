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

/** What identity answers now is older than any event that is still on its way. */
const unknownAge = new Date(0);

/** This service's copy of the language and time zone of every user, fed by identity's events. */
@Injectable()
export class Recipients {
  constructor(private readonly requests: RequestClient) {}

  /** Writes what was true at an instant; what is newer already stays. */
  async store(
    tx: EntityManager,
    { user_id, locale, timezone }: Recipient & { user_id: number },
    occurredAt: Date,
  ): Promise<void> {
    await tx.query(
      `INSERT INTO recipients (user_id, locale, timezone, updated_at) VALUES ($1, $2, $3, $4)
       ON CONFLICT (user_id) DO UPDATE
       SET locale = excluded.locale, timezone = excluded.timezone, updated_at = excluded.updated_at
       WHERE recipients.updated_at <= excluded.updated_at`,
      [user_id, locale, timezone, occurredAt],
    );
  }

  /**
   * How a user reads. One who is not known here yet is asked from identity once; one whom identity does not know any
   * more reads English and UTC.
   *
   * @throws ApplicationError `SERVICE_UNAVAILABLE` or `DEADLINE_EXCEEDED` when identity must be asked and does not answer
   */
  async find(tx: EntityManager, userId: number): Promise<Recipient> {
    const [known] = await tx.query<Recipient[]>(
      'SELECT locale, timezone FROM recipients WHERE user_id = $1',
      [userId],
    );
    if (known) return known;
    try {
      const contact = await this.requests.request(Users.contact, undefined, { user_id: userId });
      await this.store(tx, contact, unknownAge);
      return contact;
    } catch (error) {
      if (!(error instanceof ApplicationError) || error.code !== 'NOT_FOUND') throw error;
      return { locale: 'en', timezone: 'UTC' };
    }
  }
}
