import type { ById } from '../core/page.dto.js';
import { request } from '../core/request.js';
import type {
  ChangedCount,
  ListNotifications,
  NotificationPage,
  NotificationView,
  UnreadCount,
} from './notifications.dto.js';

export const Notifications = {
  list: request.user<ListNotifications, NotificationPage>('notifications.notifications.list'),
  unreadCount: request.user<Record<string, never>, UnreadCount>(
    'notifications.notifications.unread_count',
  ),
  read: request.user<ById, NotificationView>('notifications.notifications.read'),
  readAll: request.user<Record<string, never>, ChangedCount>(
    'notifications.notifications.read_all',
  ),
  remove: request.user<ById, void>('notifications.notifications.remove'),
  clear: request.user<Record<string, never>, ChangedCount>('notifications.notifications.clear'),
};

/** A mail that the `log` transport kept instead of sending. */
export interface CapturedMail {
  id: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  /** RFC 3339, UTC. */
  sent_at: string;
}

/** Exists only in the local profile with the `log` transport. */
export const DevMail = {
  /** The newest first, at most 100; all, or those to one address. */
  list: request.service<{ to?: string }, { items: CapturedMail[] }>('notifications.dev_mail.list'),
};
