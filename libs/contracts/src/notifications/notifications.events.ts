import { event } from '../core/event.js';
import type { NotificationView } from './notifications.dto.js';

/** chat puts it into the user's event log, which brings it to the open sockets. */
export const notificationCreated = event<{
  user_id: number;
  notification: NotificationView;
  unread_count: number;
}>('notifications.notification.created');

export const deliverySent = event<{ user_id: number; channel: 'mail'; template: string }>(
  'notifications.delivery.sent',
);
export const deliveryFailed = event<{ user_id: number; channel: 'mail'; template: string }>(
  'notifications.delivery.failed',
);
