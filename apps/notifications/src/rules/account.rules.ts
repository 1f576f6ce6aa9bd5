import {
  type AccountMailRequest,
  type DeviceFact,
  type EventEnvelope,
  type ProviderLinkFact,
  userEmailChanged,
  userEmailVerified,
  userExpired,
  userMailRequested,
  userPasswordChanged,
  userProviderLinked,
  userProviderUnlinked,
  userRefreshTokenReused,
  userRegistered,
  type UserRegistered,
  userSignedInFromNewDevice,
} from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { MailQueue } from '../mail/mail-queue.js';
import { Notify } from '../notifications/notify.service.js';
import type { NotificationRequest } from '../notifications/notification-request.js';
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

  @OnEvent(userSignedInFromNewDevice)
  async warnOfNewDevice(
    { data, occurred_at }: EventEnvelope<DeviceFact>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, aboutDevice('new_sign_in', data, occurred_at));
  }

  @OnEvent(userRefreshTokenReused)
  async warnOfStolenSignIn(
    { data, occurred_at }: EventEnvelope<DeviceFact>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, aboutDevice('refresh_token_reused', data, occurred_at));
  }

  @OnEvent(userProviderLinked)
  async reportLinkedProvider(
    { data }: EventEnvelope<ProviderLinkFact>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, aboutProvider('provider_linked', data));
  }

  @OnEvent(userProviderUnlinked)
  async reportUnlinkedProvider(
    { data }: EventEnvelope<ProviderLinkFact>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, aboutProvider('provider_unlinked', data));
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

  @OnEvent(userEmailChanged)
  async notifyOfNewAddress(
    { data }: EventEnvelope<{ user_id: number }>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, {
      userId: data.user_id,
      type: 'email_changed',
      params: {},
      data: {},
    });
  }

  @OnEvent(userPasswordChanged)
  async notifyOfNewPassword(
    { data }: EventEnvelope<{ user_id: number }>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, {
      userId: data.user_id,
      type: 'password_changed',
      params: {},
      data: {},
    });
  }
}

function aboutDevice<T extends 'new_sign_in' | 'refresh_token_reused'>(
  type: T,
  { user_id: userId, session_id, browser, os, network }: DeviceFact,
  happened_at: string,
): NotificationRequest<'new_sign_in' | 'refresh_token_reused'> & { type: T } {
  return { userId, type, params: { browser, os, network, happened_at }, data: { session_id } };
}

function aboutProvider<T extends 'provider_linked' | 'provider_unlinked'>(
  type: T,
  { user_id: userId, provider_name }: ProviderLinkFact,
): NotificationRequest<'provider_linked' | 'provider_unlinked'> & { type: T } {
  return { userId, type, params: { provider_name }, data: {} };
}
