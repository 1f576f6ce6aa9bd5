import { type Caller, ApplicationError, userFrame } from '@mentorhub/contracts';
import { Signals } from '@mentorhub/messaging';
import { People } from '@mentorhub/people';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type DirectChat, DirectChats } from '../chats/direct-chats.js';

@Injectable()
export class TypingService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly directChats: DirectChats,
    private readonly people: People,
    private readonly signals: Signals,
  ) {}

  /**
   * Shows a user as typing to the others of a chat. Not before the chat's first message: until then the other side does
   * not know the user, and typing must not reveal whether it exists.
   * @throws ApplicationError `NOT_FOUND` also for a chat of others
   */
  async show(
    { user_id: userId }: Caller,
    where: { recipient_id?: number; chat_id?: number },
  ): Promise<void> {
    const chat = await this.chatFor(userId, where);
    if (!chat) return;
    const people = await this.people.ensure([userId]);
    const username = people.get(userId)?.username ?? '';
    for (const other of chat.users) {
      if (other === userId) continue;
      this.signals.publish(
        userFrame,
        { frame: { type: 'typing', user_id: userId, username, chat_id: chat.id } },
        other,
      );
    }
  }

  private chatFor(
    userId: number,
    { recipient_id: recipientId, chat_id: chatId }: { recipient_id?: number; chat_id?: number },
  ): Promise<DirectChat | undefined> {
    if (chatId !== undefined) return this.directChats.ofUser(userId, chatId);
    if (recipientId !== undefined) return this.directChats.find(userId, recipientId);
    throw ApplicationError.invalid('recipient_id', 'recipient_id or chat_id must be given.');
  }
}
