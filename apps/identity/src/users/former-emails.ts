import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { invalidLink } from '../account-mails/mail-tokens.js';
import { hashOf, newToken } from '../secrets/secret-token.js';

const undoHours = 72;
const undoMs = undoHours * 3_600_000;

/** An address that an account had. */
export interface FormerEmail {
  id: number;
  userId: number;
  email: string;
  changedAt: Date;
}

interface FormerRow {
  id: number;
  user_id: number;
  email: string;
  changed_at: Date;
}

/**
 * The addresses that accounts had in the last 72 hours. The mailbox of each can take its account back, so nobody else can
 * have the address meanwhile, which the database sees to (`users_email_reserved`). An older address outranks the later
 * ones: whoever took an account over cannot void the link of its owner by changing the address once more.
 */
@Injectable()
export class FormerEmails {
  /** Stores the address that an account gives up; resolves to the id for the mail to it. */
  async store(tx: EntityManager, userId: number, email: string, now: Date): Promise<number> {
    const [row] = await tx.query<{ id: number }[]>(
      `INSERT INTO former_emails (user_id, email, changed_at, reserved_until)
       VALUES ($1, $2, $3, $4) RETURNING id`,
      [userId, email, now, new Date(now.getTime() + undoMs)],
    );
    return row!.id;
  }

  /** Whether an address is reserved for an account that had it; a reservation that has expired is deleted. */
  async isReserved(
    tx: EntityManager,
    email: string,
    { exceptFor, now }: { exceptFor?: number; now: Date },
  ): Promise<boolean> {
    await tx.query('DELETE FROM former_emails WHERE email = $1 AND reserved_until <= $2', [
      email,
      now,
    ]);
    const rows = await tx.query<unknown[]>(
      'SELECT 1 FROM former_emails WHERE email = $1 AND ($2::int IS NULL OR user_id <> $2)',
      [email, exceptFor ?? null],
    );
    return rows.length > 0;
  }

  /**
   * Makes the token that undoes the change from an address; the one before stops working.
   * @returns undefined when the change cannot be undone any more
   */
  async mint(
    tx: EntityManager,
    { id, userId }: { id: number; userId: number },
    now: Date,
  ): Promise<{ email: string; token: string } | undefined> {
    const token = newToken();
    const [rows] = await tx.query<[{ email: string }[], number]>(
      `UPDATE former_emails SET undo_hash = $4
       WHERE id = $1 AND user_id = $2 AND reserved_until > $3 RETURNING email`,
      [id, userId, now, hashOf(token)],
    );
    return rows[0] && { email: rows[0].email, token };
  }

  /**
   * What a token gives back; it stays usable.
   * @throws ApplicationError INVALID_TOKEN
   */
  async find(tx: EntityManager, token: string, now: Date): Promise<FormerEmail> {
    const [row] = await tx.query<FormerRow[]>(
      `SELECT id, user_id, email, changed_at FROM former_emails
       WHERE undo_hash = $1 AND reserved_until > $2`,
      [hashOf(token), now],
    );
    if (!row) throw invalidLink();
    return { id: row.id, userId: row.user_id, email: row.email, changedAt: row.changed_at };
  }

  /**
   * Ends the reservation of an address that its account has again, and those of the addresses that came after it.
   * @returns whether there was one
   */
  async takeBack(tx: EntityManager, userId: number, email: string): Promise<boolean> {
    const [, ended] = await tx.query<[unknown[], number]>(
      `DELETE FROM former_emails WHERE user_id = $1 AND id >= (
         SELECT id FROM former_emails WHERE user_id = $1 AND email = $2
       )`,
      [userId, email],
    );
    return ended > 0;
  }
}
