import {
  type ById,
  type Caller,
  type ChangedCount,
  type ListNotifications,
  type NotificationPage,
  Notifications,
  type NotificationView,
  type UnreadCount,
} from '@mentorhub/contracts';
import { Handle } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { NotificationsService } from './notifications.service.js';

@Controller()
export class NotificationsController {
  constructor(private readonly notifications: NotificationsService) {}

  @Handle(Notifications.list)
  list(actor: Caller, query: ListNotifications): Promise<NotificationPage> {
    return this.notifications.list(actor, query);
  }

  @Handle(Notifications.unreadCount)
  unreadCount(actor: Caller): Promise<UnreadCount> {
    return this.notifications.unreadCount(actor);
  }

  @Handle(Notifications.read)
  read(actor: Caller, { id }: ById): Promise<NotificationView> {
    return this.notifications.read(actor, id);
  }

  @Handle(Notifications.readAll)
  readAll(actor: Caller): Promise<ChangedCount> {
    return this.notifications.readAll(actor);
  }

  @Handle(Notifications.remove)
  remove(actor: Caller, { id }: ById): Promise<void> {
    return this.notifications.remove(actor, id);
  }

  @Handle(Notifications.clear)
  clear(actor: Caller): Promise<ChangedCount> {
    return this.notifications.clear(actor);
  }
}
