import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { hashOf } from '../secrets/secret-token.js';
import type { MailTokenPurpose } from './mail-tokens.js';

/** What mails are about, as far as they are counted. */
export type PausedMail = MailTokenPurpose | 'sign_in_code' | 'reauthentication_code';

const pauseMs = 60_000;

/**
 * At most one mail an address, purpose and minute, so that nobody floods a mailbox. Addresses without an account count
 * as well, so that nothing reveals which have one.
 */
@Injectable()
export class MailPauses {
  /** Whether the last mail to an address lies long enough back; if so, this one counts. */
  async admit(tx: EntityManager, purpose: PausedMail, email: string, now: Date): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `INSERT INTO mail_pauses AS last (purpose, email_hash, sent_at) VALUES ($1, $2, $3)
       ON CONFLICT ON CONSTRAINT mail_pauses_pkey
       DO UPDATE SET sent_at = $3 WHERE last.sent_at <= $4
       RETURNING sent_at`,
      [purpose, hashOf(email), now, new Date(now.getTime() - pauseMs)],
    );
    return rows.length > 0;
  }
}
