import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { hashOf } from '../secrets/secret-token.js';
import type { MailTokenPurpose } from './mail-tokens.js';

/** What mails are about, as far as they are counted. */
export type PausedMail = MailTokenPurpose | 'sign_in_code' | 'reauthentication_code';

const dayMs = 86_400_000;

/** The minutes after the first, second … mail of a day; the last counts for all that follow. */
const growing = [1, 5, 15, 60];
/** Only the browser that asked can use such a mail, so a pause that others make longer would keep the owner out. */
const short = [1];
/**
 * A link works whoever asked for the mail, and for an hour at least: no pause is longer, so that the owner of the mailbox
 * has one that works, however many others ask for.
 */
const pauses: Record<PausedMail, readonly number[]> = {
  verify_email: growing,
  reset_password: growing,
  confirm_email_change: growing,
  sign_in_code: short,
  reauthentication_code: short,
};

/**
 * Pauses between the mails of a purpose to an address, so that nobody floods a mailbox: of those that grow there are 27
 * mails a day at most. Addresses without an account count as well, so that nothing reveals which have one.
 */
@Injectable()
export class MailPauses {
  /**
   * Whether the last mail lies long enough back; if so, this one counts.
   * @param to the address, or what else the mails are counted by
   */
  async admit(tx: EntityManager, purpose: PausedMail, to: string, now: Date): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `INSERT INTO mail_pauses AS last (purpose, email_hash, sent_at, since, mails)
       VALUES ($1, $2, $3, $3, 1)
       ON CONFLICT ON CONSTRAINT mail_pauses_pkey DO UPDATE SET
         sent_at = $3,
         since = CASE WHEN last.since <= $4 THEN $3 ELSE last.since END,
         mails = CASE WHEN last.since <= $4 THEN 1 ELSE last.mails + 1 END
       WHERE last.sent_at + ${pauseOf('last')} <= $3
       RETURNING sent_at`,
      [purpose, hashOf(to), now, dayBefore(now), pauses[purpose]],
    );
    return rows.length > 0;
  }

  /** From when on the next mail is admitted. */
  async next(tx: EntityManager, purpose: PausedMail, to: string, now: Date): Promise<Date> {
    const [row] = await tx.query<{ next: Date }[]>(
      `SELECT sent_at + ${pauseOf('mail_pauses')} AS next FROM mail_pauses
       WHERE purpose = $1 AND email_hash = $2 AND $3::timestamptz IS NOT NULL`,
      [purpose, hashOf(to), now, dayBefore(now), pauses[purpose]],
    );
    return row?.next ?? now;
  }
}

/** The pause after the last mail; a new day begins with the shortest. */
function pauseOf(row: string): string {
  return `interval '1 minute' * ($5::int[])[CASE WHEN ${row}.since <= $4 THEN 1
    ELSE least(${row}.mails, cardinality($5::int[])) END]`;
}

function dayBefore(now: Date): Date {
  return new Date(now.getTime() - dayMs);
}
