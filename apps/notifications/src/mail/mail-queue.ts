import type { AccountMailRequest, NotificationType } from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AfterCommit } from '../after-commit.js';
import type { NotificationParams } from '../notifications/notification-params.js';
import type { MailParams, MailTemplate } from './mail-templates.js';

/** A mail that this process has claimed and must send before the lease ends. */
export interface ClaimedMail<T extends MailTemplate = MailTemplate> {
  id: number;
  user_id: number;
  template: T;
  params: MailParams[T];
  /** Which attempt this is, from 1. */
  attempts: number;
}

/** Longer than an attempt can take. */
export const leaseMs = 120_000;

/**
 * Mails that are due. It stores no addresses: the address is requested when the mail is sent.
 *
 * A mail is sent at least once. It is claimed by a short transaction that pushes its next attempt beyond a lease, sent
 * outside of any transaction, and then marked. A process that dies in between leaves it to the next one after the
 * lease; a mail it had already sent is then sent twice, which is better than never.
 */
@Injectable()
export class MailQueue {
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly dataSource: DataSource,
    private readonly afterCommit: AfterCommit,
    private readonly clock: Clock,
  ) {}

  /** Queues the mail of a notification; it is sent after the transaction has committed. */
  add<T extends NotificationType>(
    tx: EntityManager,
    userId: number,
    type: T,
    params: NotificationParams[T],
    namedUserId?: number,
  ): Promise<void> {
    return this.insert(tx, userId, type, params, namedUserId);
  }

  /** Queues a mail about the account itself; its secret is made when it is sent. */
  addAccountMail(tx: EntityManager, request: AccountMailRequest): Promise<void> {
    const { user_id, mail, ref } = request;
    return this.insert(tx, user_id, mail, { ref });
  }

  /** Calls back after every commit that queued a mail in this process. Other processes find it when they poll. */
  onAdded(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Takes due mails, the longest overdue first; no two processes take the same. */
  async claim(limit: number): Promise<ClaimedMail[]> {
    const now = this.clock.now();
    const [mails] = await this.dataSource.query<[ClaimedMail[], number]>(
      `UPDATE mails SET attempts = attempts + 1, next_attempt_at = $2
       WHERE id IN (
         SELECT id FROM mails WHERE state = 'queued' AND next_attempt_at <= $1
         ORDER BY next_attempt_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)
       RETURNING id, user_id, template, params, attempts`,
      [now, new Date(now.getTime() + leaseMs), limit],
    );
    return mails;
  }

  /** Puts a claimed mail back. */
  async retryAt(mail: ClaimedMail, at: Date, failure: string): Promise<void> {
    await this.dataSource.query(
      `UPDATE mails SET next_attempt_at = $3, failure = $4
       WHERE id = $1 AND attempts = $2 AND state = 'queued'`,
      [mail.id, mail.attempts, at, failure],
    );
  }

  /** Ends a claimed mail. False when its lease was lost to another process, which then decides. */
  async finish(
    tx: EntityManager,
    mail: ClaimedMail,
    state: 'sent' | 'failed',
    failure: string | null = null,
  ): Promise<boolean> {
    const [, changed] = await tx.query<[unknown[], number]>(
      `UPDATE mails SET state = $3, failure = $4, sent_at = CASE WHEN $3 = 'sent' THEN $5::timestamptz END
       WHERE id = $1 AND attempts = $2 AND state = 'queued'`,
      [mail.id, mail.attempts, state, failure, this.clock.now()],
    );
    return changed > 0;
  }

  private async insert(
    tx: EntityManager,
    userId: number,
    template: MailTemplate,
    params: object,
    namedUserId?: number,
  ): Promise<void> {
    await tx.query(
      `INSERT INTO mails (user_id, template, params, next_attempt_at, created_at, named_user_id)
       SELECT $1, $2, $3, $4, $4, $5 WHERE NOT EXISTS (SELECT FROM erased_users WHERE user_id = $1)`,
      [userId, template, params, this.clock.now(), namedUserId ?? null],
    );
    this.afterCommit.call(tx, this.notifyListeners);
  }

  private readonly notifyListeners = (): void => {
    for (const listener of this.listeners) listener();
  };
}
