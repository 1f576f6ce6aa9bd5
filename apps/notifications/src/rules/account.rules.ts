import {
  type AccountMailRequest,
  type EventEnvelope,
  userEmailVerified,
  userExpired,
  userMailRequested,
  type UserRegistered,
  userRegistered,
} from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { MailQueue } from '../mail/mail-queue.js';
import { Notify } from '../notifications/notify.service.js';
import { Recipients } from '../recipients/recipients.js';

/** What users are notified of in their accounts. */
@Controller()
export class AccountRules {
  constructor(
    private readonly recipients: Recipients,
    private readonly mails: MailQueue,
    private readonly notify: Notify,
  ) {}

  @OnEvent(userRegistered)
  async welcomeNewUser(
    { data, occurred_at }: EventEnvelope<UserRegistered>,
    tx: EntityManager,
  ): Promise<void> {
    await this.recipients.store(tx, data, new Date(occurred_at));
    await this.notify.send(tx, {
      userId: data.user_id,
      type: 'welcome',
      params: { name: data.full_name },
      data: {},
    });
  }

  @OnEvent(userMailRequested)
  async queueAccountMail(
    { data }: EventEnvelope<AccountMailRequest>,
    tx: EntityManager,
  ): Promise<void> {
    await this.mails.addAccountMail(tx, data);
  }

  /** A mail that is still queued is given up by itself: identity does not know its reader any more. */
  @OnEvent(userExpired)
  async forgetExpiredUser(
    { data }: EventEnvelope<{ user_id: number }>,
    tx: EntityManager,
  ): Promise<void> {
    await tx.query('DELETE FROM notifications WHERE user_id = $1', [data.user_id]);
    await tx.query('DELETE FROM recipients WHERE user_id = $1', [data.user_id]);
  }

  @OnEvent(userEmailVerified)
  async thankForVerifying(
    { data }: EventEnvelope<{ user_id: number }>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, {
      userId: data.user_id,
      type: 'email_verified',
      params: {},
      data: {},
    });
  }
}
