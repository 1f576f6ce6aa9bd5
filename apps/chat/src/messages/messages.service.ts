import {
  type Caller,
  ApplicationError,
  type MessageView,
  type PostAnswer,
  type SendMessage,
  type SocketPost,
} from '@mentorhub/contracts';
import { requestContext } from '@mentorhub/messaging';
import { classifyDatabaseError, preparedQuery } from '@mentorhub/persistence';
import { Injectable, Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { type DirectChat, DirectChats } from '../chats/direct-chats.js';
import { clientIdOfKey } from './client-id.js';
import { MessageWriter } from './message-writer.js';
import { requireMessage } from './require-message.js';

interface MessageRow {
  id: number;
  chat_id: number;
  text: string;
  sent_at: Date;
}

interface SentMessage {
  readonly chat: DirectChat;
  readonly id: number;
  readonly text: string;
  readonly sentAt: string;
  readonly duplicate: boolean;
  /** Place in the sender's event log; absent for duplicates. */
  readonly offset?: number;
}

@Injectable()
export class MessagesService {
  private readonly logger = new Logger(MessagesService.name);

  constructor(
    private readonly dataSource: DataSource,
    private readonly directChats: DirectChats,
    private readonly writer: MessageWriter,
  ) {}

  /**
   * Sends a message over REST. Without a `client_id` the request's `Idempotency-Key` makes it unique.
   * @throws ApplicationError `IDEMPOTENCY_KEY_REUSED` for the same key with another message
   */
  async send(actor: Caller, message: SendMessage): Promise<MessageView> {
    const key = message.client_id === undefined && requestContext.current()?.idempotencyKey;
    const clientId = key ? clientIdOfKey(key) : message.client_id;
    const sent = await this.deliver(actor.user_id, message, clientId);
    const other =
      sent.text !== message.text ||
      (message.chat_id !== undefined && message.chat_id !== sent.chat.id) ||
      (message.recipient_id !== undefined &&
        message.recipient_id !== otherThan(sent.chat, actor.user_id));
    if (key && sent.duplicate && other) {
      throw new ApplicationError(
        'IDEMPOTENCY_KEY_REUSED',
        'This Idempotency-Key was used for another message: send a new key.',
      );
    }
    return {
      id: sent.id,
      chat_id: sent.chat.id,
      sender_id: actor.user_id,
      recipient_id: otherThan(sent.chat, actor.user_id),
      text: sent.text,
      sent_at: sent.sentAt,
      read: false,
    };
  }

  /** Sends a message that came in over a socket. Never rejects: its neighbours' answers travel with its own. */
  async post({ sender_id: senderId, message, origin }: SocketPost): Promise<PostAnswer> {
    try {
      requireMessage(message);
      const sent = await this.deliver(senderId, message, message.client_id, origin);
      return {
        ack: {
          id: sent.id,
          chat_id: sent.chat.id,
          timestamp: sent.sentAt,
          offset: sent.offset,
          duplicate: sent.duplicate || undefined,
        },
      };
    } catch (error) {
      return { problem: this.explain(error).toProblem() };
    }
  }

  private explain(error: unknown): ApplicationError {
    if (error instanceof ApplicationError) return error;
    const classified = classifyDatabaseError(error);
    if (classified && classified.status >= 500) return classified;
    this.logger.error('A message could not be stored.', error);
    if (classified) return classified;
    return new ApplicationError('INTERNAL', 'Something went wrong on our side.', { cause: error });
  }

  private async deliver(
    senderId: number,
    { recipient_id: recipientId, chat_id: chatId, text }: SendMessage,
    clientId?: string,
    origin?: string,
  ): Promise<SentMessage> {
    const found = this.chatFor(senderId, recipientId, chatId);
    // Nearly always remembered: a promise for each of some thousand messages a second would show.
    const chat = found instanceof Promise ? await found : found;
    const trace = requestContext.current()?.traceparent;
    const stored = await this.writer.store({
      chat,
      senderId,
      text,
      clientId,
      origin,
      trace,
    });
    if (!stored) return this.original(senderId, clientId);
    const offset = stored.offsets[chat.users.indexOf(senderId)];
    return { chat, id: stored.id, text, sentAt: stored.sentAt, duplicate: false, offset };
  }

  private chatFor(
    senderId: number,
    recipientId: number | undefined,
    chatId: number | undefined,
  ): DirectChat | Promise<DirectChat> {
    if ((chatId === undefined) === (recipientId === undefined)) {
      throw ApplicationError.invalid('recipient_id', 'Send recipient_id or chat_id, one of them.');
    }
    if (recipientId === undefined) return this.directChats.ofUser(senderId, chatId!);
    return (
      this.directChats.remembered(senderId, recipientId) ??
      this.directChats.withUser(senderId, recipientId)
    );
  }

  /** The message that was stored first under a client id. */
  private async original(senderId: number, clientId: string | undefined): Promise<SentMessage> {
    const [row] = await preparedQuery<MessageRow>(this.dataSource, {
      name: 'original-message',
      text: 'SELECT id, chat_id, text, sent_at FROM messages WHERE sender_id = $1 AND client_id = $2',
      values: [senderId, clientId],
    });
    if (!row) throw new Error('A message was neither stored nor a duplicate.');
    return {
      chat: await this.directChats.ofUser(senderId, row.chat_id),
      id: row.id,
      text: row.text,
      sentAt: row.sent_at.toISOString(),
      duplicate: true,
    };
  }
}

function otherThan(chat: DirectChat, userId: number): number | null {
  return chat.users.find((one) => one !== userId) ?? null;
}
