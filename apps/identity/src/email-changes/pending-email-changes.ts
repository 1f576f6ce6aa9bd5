import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { MailTokens } from '../account-mails/mail-tokens.js';

/** A change of an address that waits for its confirmation. */
export interface PendingEmailChange {
  id: number;
  newEmail: string;
}

/** How long the mail of a change may be on its way, and then how long its link works. */
export const confirmationMs = 24 * 3_600_000;

/** Changes of addresses that their users asked for and have not confirmed: one a user, until a newer one replaces it. */
@Injectable()
export class PendingEmailChanges {
  constructor(private readonly tokens: MailTokens) {}

  /** Stores a change in the place of an older one, whose mail becomes void. */
  async store(tx: EntityManager, userId: number, newEmail: string, now: Date): Promise<number> {
    const [row] = await tx.query<{ id: number }[]>(
      `INSERT INTO email_changes AS pending (user_id, new_email, requested_at) VALUES ($1, $2, $3)
       ON CONFLICT ON CONSTRAINT email_changes_pkey
       DO UPDATE SET id = DEFAULT, new_email = $2, requested_at = $3
       RETURNING id`,
      [userId, newEmail, now],
    );
    await this.tokens.void(tx, userId, ['confirm_email_change']);
    return row!.id;
  }

  /** The change of a user that waits, locked against its replacement until the transaction is over. */
  async find(
    tx: EntityManager,
    userId: number,
    now: Date,
  ): Promise<PendingEmailChange | undefined> {
    const [row] = await tx.query<{ id: number; new_email: string }[]>(
      `SELECT id, new_email FROM email_changes WHERE user_id = $1 AND requested_at > $2 FOR UPDATE`,
      [userId, new Date(now.getTime() - confirmationMs)],
    );
    return row && { id: row.id, newEmail: row.new_email };
  }

  /** Ends the change that waits, if there is one. */
  async void(tx: EntityManager, userId: number): Promise<void> {
    await tx.query('DELETE FROM email_changes WHERE user_id = $1', [userId]);
    await this.tokens.void(tx, userId, ['confirm_email_change']);
  }
}
