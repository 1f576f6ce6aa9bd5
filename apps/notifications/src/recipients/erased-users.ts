import type { Locale, NotificationType } from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { notificationText } from '../catalogue/catalogue.js';
import type { NotificationParams } from '../notifications/notification-params.js';
import { nameParams, withoutName } from '../notifications/without-name.js';

/** Notifications that are written anew by one statement. */
const batch = 500;

interface NamingRow {
  id: number;
  type: NotificationType;
  params: NotificationParams[NotificationType];
  locale: Locale | null;
  timezone: string | null;
}

/** Users who erased their accounts: nothing is stored for them, and nothing says their name. */
@Injectable()
export class ErasedUsers {
  constructor(private readonly clock: Clock) {}

  /** Which of these users are erased. */
  async among(tx: EntityManager, userIds: readonly number[]): Promise<ReadonlySet<number>> {
    if (userIds.length === 0) return new Set();
    const rows = await tx.query<{ user_id: number }[]>(
      'SELECT user_id FROM erased_users WHERE user_id = ANY ($1::integer[])',
      [userIds],
    );
    return new Set(rows.map(({ user_id }) => user_id));
  }

  /** Deletes all that is stored for a user, and takes the name out of what is stored for others. */
  async erase(tx: EntityManager, userId: number): Promise<void> {
    await tx.query(
      'INSERT INTO erased_users (user_id, erased_at) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [userId, this.clock.now()],
    );
    // First of all: it waits for a process that is about to turn one of them into a notification.
    await tx.query('DELETE FROM deferred_notifications WHERE user_id = $1', [userId]);
    for (const table of ['notifications', 'mails', 'chat_reads', 'recipients']) {
      await tx.query(`DELETE FROM ${table} WHERE user_id = $1`, [userId]);
    }
    while ((await this.rewrite(tx, userId)) === batch);
    for (const table of ['deferred_notifications', 'mails']) {
      await tx.query(
        `UPDATE ${table} SET named_user_id = NULL, params = (
           SELECT jsonb_object_agg(key, CASE
             WHEN key = ANY ($2) THEN '""'::jsonb WHEN key = 'reason' THEN 'null'::jsonb ELSE value END)
           FROM jsonb_each(params))
         WHERE named_user_id = $1`,
        [userId, nameParams],
      );
    }
  }

  /** Writes notifications that name a user anew, without the name; resolves to how many. */
  private async rewrite(tx: EntityManager, userId: number): Promise<number> {
    const rows = await tx.query<NamingRow[]>(
      `SELECT notifications.id, type, params, locale, timezone
       FROM notifications LEFT JOIN recipients USING (user_id)
       WHERE named_user_id = $1 ORDER BY notifications.id LIMIT ${batch}`,
      [userId],
    );
    const texts = rows.map(({ id, type, params, locale, timezone }) => {
      const nameless = withoutName(params);
      const reader = { locale: locale ?? 'en', timezone: timezone ?? 'UTC' };
      return { id, params: nameless, ...notificationText(type, nameless, reader) };
    });
    await tx.query(
      `UPDATE notifications SET title = text.title, body = text.body, params = text.params, named_user_id = NULL
       FROM jsonb_to_recordset($1::jsonb) AS text (id integer, title text, body text, params jsonb)
       WHERE notifications.id = text.id`,
      [JSON.stringify(texts)],
    );
    return rows.length;
  }
}
