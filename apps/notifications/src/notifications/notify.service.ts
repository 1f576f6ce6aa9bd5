import { locales, type NotificationType, notificationCreated } from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { notificationText } from '../catalogue/catalogue.js';
import { MailQueue } from '../mail/mail-queue.js';
import { Recipients } from '../recipients/recipients.js';
import { channels } from './channels.js';
import { Notification, notificationView } from './notification.entity.js';
import type { NotificationParams } from './notification-params.js';

/** Somebody is told something. */
export interface News<T extends NotificationType> {
  userId: number;
  type: T;
  params: NotificationParams[T];
  /** Ids of what it is about, for the client. */
  data: Record<string, number | string>;
}

/** Users may be told of a message only now and then. */
export interface MessageNews {
  userIds: readonly number[];
  params: NotificationParams['new_message'];
  data: { chat_id: number; message_id: number; sender_id: number };
}

/** Stores notifications; each is told to the user's open sockets, and mailed where its type says so. */
@Injectable()
export class Notify {
  constructor(
    private readonly recipients: Recipients,
    private readonly mails: MailQueue,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /** Stores one notification in the language of its reader, with its event and its mail, in the same transaction. */
  async send<T extends NotificationType>(tx: EntityManager, news: News<T>): Promise<void> {
    const { userId, type, params, data } = news;
    const notification = tx.create(Notification, {
      ...notificationText(type, params, await this.recipients.find(tx, userId)),
      userId,
      type,
      data,
      params,
      readAt: null,
      createdAt: this.clock.now(),
    });
    await tx.insert(Notification, notification);
    await this.announce(tx, [notification]);
    if (channels[type].includes('mail')) await this.mails.add(tx, userId, type, params);
  }

  /**
   * Tells users of a chat message, unless they have an unread notification of that chat: then a message costs this one
   * statement. Rendered for every language at once, because only the statement knows who will be told.
   */
  async sendOncePerChat(tx: EntityManager, { userIds, params, data }: MessageNews): Promise<void> {
    if (userIds.length === 0) return;
    const texts = locales.map((locale) => ({
      locale,
      ...notificationText('new_message', params, { locale, timezone: 'UTC' }),
    }));
    const stored = await tx.query<StoredRow[]>(
      `INSERT INTO notifications (user_id, type, title, body, data, params, created_at)
       SELECT reader.user_id, 'new_message', text.title, text.body, $2::jsonb, $3::jsonb, $4::timestamptz
       FROM unnest($1::integer[]) AS reader (user_id)
       LEFT JOIN recipients USING (user_id)
       JOIN jsonb_to_recordset($5::jsonb) AS text (locale text, title text, body text)
         ON text.locale = coalesce(recipients.locale, 'en')
       ON CONFLICT (user_id, (data ->> 'chat_id')) WHERE type = 'new_message' AND read_at IS NULL
       DO NOTHING
       RETURNING id, user_id, title, body`,
      [userIds, data, params, this.clock.now(), JSON.stringify(texts)],
    );
    const createdAt = this.clock.now();
    await this.announce(
      tx,
      stored.map(({ user_id, ...row }) => ({
        ...row,
        userId: user_id,
        type: 'new_message' as const,
        data: { ...data },
        params,
        readAt: null,
        createdAt,
      })),
    );
  }

  private async announce(tx: EntityManager, notifications: Notification[]): Promise<void> {
    if (notifications.length === 0) return;
    const unread = await tx.query<{ user_id: number; count: number }[]>(
      `SELECT user_id, count(*) AS count FROM notifications
       WHERE read_at IS NULL AND user_id = ANY ($1::integer[]) GROUP BY user_id`,
      [notifications.map(({ userId }) => userId)],
    );
    const counts = new Map(unread.map(({ user_id, count }) => [user_id, count]));
    await this.outbox.addMany(
      tx,
      notifications.map((notification) => ({
        event: notificationCreated,
        // The order of one user's notifications is kept.
        aggregateId: notification.userId,
        data: {
          user_id: notification.userId,
          notification: notificationView(notification),
          unread_count: counts.get(notification.userId) ?? 0,
        },
      })),
    );
  }
}

interface StoredRow {
  id: number;
  user_id: number;
  title: string;
  body: string;
}
