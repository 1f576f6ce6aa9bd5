import {
  type ChatRead,
  type Locale,
  type NotificationType,
  notificationCreated,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { preparedQuery } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { notificationText } from '../catalogue/catalogue.js';
import { DeferredNotifications } from '../deferred/deferred-notifications.js';
import { MailQueue } from '../mail/mail-queue.js';
import { ErasedUsers } from '../recipients/erased-users.js';
import { Recipients } from '../recipients/recipients.js';
import { channels } from './channels.js';
import { Notification, notificationView } from './notification.entity.js';
import type { NotificationParams } from './notification-params.js';
import type { NotificationRequest } from './notification-request.js';
import { withoutName } from './without-name.js';

/** A chat message; each of its readers gets at most one notification of the chat. */
export interface MessageNotification {
  userIds: readonly number[];
  params: NotificationParams['new_message'];
  data: { chat_id: number; message_id: number; sender_id: number };
}

/**
 * Which of many messages' chats their recipients have no unread notification of, and up to where these have read them.
 * Runs for all messages there are, so what is unread is looked up once, as a hashed set, whatever the planner thinks of
 * the table's size.
 */
const unnotifiedSql = `
  SELECT nth::int AS nth,
    (SELECT locale FROM recipients WHERE recipients.user_id = requests.user_id) AS locale,
    (SELECT message_id FROM chat_reads
     WHERE chat_reads.user_id = requests.user_id AND chat_reads.chat_id = requests.chat_id) AS read_up_to
  FROM unnest($1::integer[], $2::integer[]) WITH ORDINALITY AS requests (user_id, chat_id, nth)
  WHERE (user_id, chat_id::text) NOT IN (
    SELECT notifications.user_id, data ->> 'chat_id' FROM notifications
    WHERE type = 'new_message' AND read_at IS NULL AND notifications.user_id = ANY ($1)
      AND data ->> 'chat_id' IS NOT NULL
  )
  ORDER BY nth`;

/** Stores notifications; each is published for the user's open sockets, and mailed where its type requires it. */
@Injectable()
export class Notify {
  constructor(
    private readonly recipients: Recipients,
    private readonly deferred: DeferredNotifications,
    private readonly mails: MailQueue,
    private readonly erased: ErasedUsers,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /**
   * Stores one notification in the language of its reader, with its event and its mail, in the same transaction. While
   * that language is not known here, it is deferred.
   */
  async send<T extends NotificationType>(
    tx: EntityManager,
    request: NotificationRequest<T>,
  ): Promise<void> {
    const { userId, type, data, namedUserId } = request;
    const reader = await this.recipients.find(tx, userId);
    if (!reader) {
      await this.deferred.add(tx, [request]);
      return;
    }
    const named = namedUserId === undefined ? [] : [namedUserId];
    const isGone = (await this.erased.among(tx, named)).size > 0;
    const params = isGone ? withoutName(request.params) : request.params;
    const notification = tx.create(Notification, {
      ...notificationText(type, params, reader),
      userId,
      type,
      data,
      params,
      namedUserId: isGone ? null : (namedUserId ?? null),
      readAt: null,
      createdAt: this.clock.now(),
    });
    await tx.insert(Notification, notification);
    await this.announce(tx, [notification]);
    if (channels[type].includes('mail')) {
      await this.mails.add(tx, userId, type, params, isGone ? undefined : namedUserId);
    }
  }

  /**
   * Notifies users of chat messages, unless they have an unread notification of that chat. In a busy chat that is so, and
   * then all the messages cost one statement that finds nothing to do.
   */
  async sendOncePerChat(
    tx: EntityManager,
    messages: readonly MessageNotification[],
  ): Promise<void> {
    const requests = byReaderAndChat(messages);
    if (requests.length === 0) return;
    const unnotified = await preparedQuery<Unnotified>(tx, {
      name: 'unnotified-chats',
      text: unnotifiedSql,
      values: [requests.map(([{ userId }]) => userId), requests.map(([{ data }]) => data.chat_id)],
    });
    const first = unnotified.flatMap(({ nth, locale, read_up_to: readUpTo }) => {
      // A message may be reported after a read that covers it, as when its event failed at first.
      const unseen = requests[nth - 1]!.find(({ data }) => data.message_id > (readUpTo ?? 0));
      return unseen ? [{ ...unseen, locale }] : [];
    });
    const gone = await this.erased.among(
      tx,
      first.flatMap(({ userId, data }) => [userId, data.sender_id]),
    );
    const unread = first
      .filter(({ userId }) => !gone.has(userId))
      .map((request) =>
        gone.has(request.data.sender_id)
          ? { ...request, params: withoutName(request.params) }
          : { ...request, namedUserId: request.data.sender_id },
      );
    await this.deferred.add(
      tx,
      unread.flatMap(({ locale, ...request }) =>
        locale === null ? [{ ...request, type: 'new_message' as const }] : [],
      ),
    );
    const createdAt = this.clock.now();
    const rows = unread.flatMap(({ userId, params, data, locale, ...about }) => {
      if (locale === null) return [];
      const { title, body } = notificationText('new_message', params, { locale, timezone: 'UTC' });
      const named_user_id = 'namedUserId' in about ? about.namedUserId : null;
      return [{ user_id: userId, title, body, data, params, named_user_id }];
    });
    if (rows.length === 0) return;
    const stored = await tx.query<StoredRow[]>(
      `INSERT INTO notifications (user_id, type, title, body, data, params, named_user_id, created_at)
       SELECT user_id, 'new_message', title, body, data, params, named_user_id, $2::timestamptz
       FROM jsonb_to_recordset($1::jsonb)
         AS requests (user_id integer, title text, body text, data jsonb, params jsonb, named_user_id integer)
       ON CONFLICT (user_id, (data ->> 'chat_id')) WHERE type = 'new_message' AND read_at IS NULL
       DO NOTHING
       RETURNING id, user_id, title, body, data, params`,
      [JSON.stringify(rows), createdAt],
    );
    await this.announce(
      tx,
      stored.map(({ user_id, ...row }) => ({
        ...row,
        userId: user_id,
        type: 'new_message' as const,
        namedUserId: null,
        readAt: null,
        createdAt,
      })),
    );
  }

  /**
   * Marks the notifications of chats as read, of messages up to the last one read; drops deferred ones, and none is made of
   * those messages any more.
   */
  async markChatsRead(tx: EntityManager, reads: readonly ChatRead[]): Promise<void> {
    const values = [
      reads.map(({ user_id }) => user_id),
      reads.map(({ chat_id }) => chat_id),
      reads.map(({ message_id }) => message_id),
    ];
    const isRead = `type = 'new_message' AND read.user_id = notified.user_id
      AND read.chat_id::text = notified.data ->> 'chat_id'
      AND read.message_id >= (notified.data ->> 'message_id')::bigint`;
    const readMessages = `unnest($1::integer[], $2::integer[], $3::bigint[]) AS read (user_id, chat_id, message_id)`;
    // Before the others: it waits for a process that is about to turn one of them into a notification.
    await tx.query(
      `DELETE FROM deferred_notifications AS notified USING ${readMessages} WHERE ${isRead}`,
      values,
    );
    await tx.query(
      `UPDATE notifications AS notified SET read_at = $4 FROM ${readMessages}
       WHERE notified.read_at IS NULL AND ${isRead}`,
      [...values, this.clock.now()],
    );
    await tx.query(
      `INSERT INTO chat_reads (user_id, chat_id, message_id)
       SELECT user_id, chat_id, max(message_id) FROM ${readMessages} GROUP BY user_id, chat_id
       ON CONFLICT (user_id, chat_id) DO UPDATE SET message_id = excluded.message_id
       WHERE chat_reads.message_id < excluded.message_id`,
      values,
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
  data: MessageNotification['data'];
  params: MessageNotification['params'];
}

interface Unnotified {
  /** From 1, among the requests. */
  nth: number;
  locale: Locale | null;
  read_up_to: number | null;
}

interface ReaderNotification extends Omit<MessageNotification, 'userIds'> {
  userId: number;
}

/** The messages for each reader and chat, in their order. */
function byReaderAndChat(
  messages: readonly MessageNotification[],
): [ReaderNotification, ...ReaderNotification[]][] {
  const groups = new Map<string, [ReaderNotification, ...ReaderNotification[]]>();
  for (const { userIds, params, data } of messages) {
    for (const userId of userIds) {
      const key = `${userId} ${data.chat_id}`;
      const request = { userId, params, data };
      const group = groups.get(key);
      if (group) group.push(request);
      else groups.set(key, [request]);
    }
  }
  return [...groups.values()];
}
