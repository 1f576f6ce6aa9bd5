import {
  type EventEnvelope,
  notificationCreated,
  type NotificationFrame,
} from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { LogInbox } from './log-inbox.js';

@Controller()
export class EventLogEvents {
  constructor(private readonly inbox: LogInbox) {}

  @OnEvent(notificationCreated)
  async appendNotificationToLog(
    { data }: EventEnvelope<{ user_id: number } & Omit<NotificationFrame, 'type' | 'offset'>>,
    tx: EntityManager,
  ): Promise<void> {
    await this.inbox.add(tx, {
      userId: data.user_id,
      kind: 'notification',
      payload: { notification: data.notification, unread_count: data.unread_count },
    });
  }
}
