import {
  type Caller,
  type ChangedCount,
  ApplicationError,
  type ListNotifications,
  type NotificationPage,
  type NotificationView,
  paging,
  toPage,
  type UnreadCount,
} from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, IsNull, Not, type Repository } from 'typeorm';
import { Notification, notificationView } from './notification.entity.js';

/** The notifications of a user. Those of others are answered like unknown ones. */
@Injectable()
export class NotificationsService {
  private readonly notifications: Repository<Notification>;

  constructor(
    dataSource: DataSource,
    private readonly clock: Clock,
  ) {
    this.notifications = dataSource.getRepository(Notification);
  }

  /** The newest first. */
  async list(actor: Caller, query: ListNotifications): Promise<NotificationPage> {
    const { limit, offset } = paging(query);
    const [items, total] = await this.notifications.findAndCount({
      where: {
        userId: actor.user_id,
        ...(query.type === undefined ? {} : { type: query.type }),
        ...(query.is_read === undefined
          ? {}
          : { readAt: query.is_read ? Not(IsNull()) : IsNull() }),
      },
      order: { id: 'DESC' },
      take: limit,
      skip: offset,
    });
    return toPage(items.map(notificationView), total, query);
  }

  async unreadCount(actor: Caller): Promise<UnreadCount> {
    return {
      unread_count: await this.notifications.countBy({ userId: actor.user_id, readAt: IsNull() }),
    };
  }

  /** Marks one as read; one that is read already keeps its instant. @throws ApplicationError `NOT_FOUND` */
  async read(actor: Caller, id: number): Promise<NotificationView> {
    const own = { id, userId: actor.user_id };
    await this.notifications.update({ ...own, readAt: IsNull() }, { readAt: this.clock.now() });
    const notification = await this.notifications.findOneBy(own);
    if (!notification) throw ApplicationError.notFound('The notification');
    return notificationView(notification);
  }

  /** Marks all as read; the count is of those that were not. */
  async readAll(actor: Caller): Promise<ChangedCount> {
    const { affected } = await this.notifications.update(
      { userId: actor.user_id, readAt: IsNull() },
      { readAt: this.clock.now() },
    );
    return { count: affected ?? 0 };
  }

  /** @throws ApplicationError `NOT_FOUND` */
  async remove(actor: Caller, id: number): Promise<void> {
    const { affected } = await this.notifications.delete({ id, userId: actor.user_id });
    if (affected === 0) throw ApplicationError.notFound('The notification');
  }

  /** Removes all of them. */
  async clear(actor: Caller): Promise<ChangedCount> {
    const { affected } = await this.notifications.delete({ userId: actor.user_id });
    return { count: affected ?? 0 };
  }
}
