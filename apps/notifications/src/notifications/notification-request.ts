import type { NotificationType } from '@mentorhub/contracts';
import type { NotificationParams } from './notification-params.js';

/** A notification to be made. */
export interface NotificationRequest<T extends NotificationType> {
  userId: number;
  type: T;
  params: NotificationParams[T];
  /** Ids of what it is about, for the client. */
  data: Record<string, number | string>;
  /** The other user whose name is among the parameters. */
  namedUserId?: number;
}
