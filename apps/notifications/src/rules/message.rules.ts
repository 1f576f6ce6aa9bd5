import {
  type ChatRead,
  chatRead,
  type EventEnvelope,
  messageSent,
  type SentMessages,
} from '@mentorhub/contracts';
import { OnEventBatch } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Notify } from '../notifications/notify.service.js';

/** What users are notified of in their chats. */
@Controller()
export class MessageRules {
  constructor(private readonly notify: Notify) {}

  @OnEventBatch(messageSent)
  async notifyOfFirstUnreadMessage(
    events: readonly EventEnvelope<SentMessages>[],
    tx: EntityManager,
  ): Promise<void> {
    const messages = events.flatMap(({ data }) => data.messages);
    await this.notify.sendOncePerChat(
      tx,
      messages.map(({ chat_id, message_id, sender_id, sender_name, recipient_ids }) => ({
        userIds: recipient_ids.filter((id) => id !== sender_id),
        params: { sender_name },
        data: { chat_id, message_id, sender_id },
      })),
    );
  }

  /** A user who reads a chat has seen what the notification is about: the next message notifies again. */
  @OnEventBatch(chatRead)
  async markNotificationsOfReadChats(
    events: readonly EventEnvelope<{ reads: ChatRead[] }>[],
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.markChatsRead(
      tx,
      events.flatMap(({ data }) => data.reads),
    );
  }
}
