import {
  type ById,
  type Caller,
  type ChatItem,
  type ChatPage,
  type MessageHistory,
  type PageQuery,
  paging,
  type ReadHistory,
  toPage,
} from '@mentorhub/contracts';
import { People } from '@mentorhub/people';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DirectChats } from './direct-chats.js';

interface ChatRow {
  id: number;
  other_id: number;
  unread_count: number;
  message_id: number;
  sender_id: number;
  text: string;
  sent_at: Date;
  total: number;
}

interface MessageRow {
  id: number;
  sender_id: number;
  text: string;
  sent_at: Date;
  read: boolean;
}

@Injectable()
export class ChatsService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly directChats: DirectChats,
    private readonly people: People,
  ) {}

  /** The user's chats that have messages, the one written in last first. */
  async list(actor: Caller, query: PageQuery): Promise<ChatPage> {
    const { limit, offset } = paging(query);
    const rows = await this.dataSource.query<ChatRow[]>(
      `SELECT mine.*, messages.sender_id, messages.text, messages.sent_at,
         CASE WHEN chats.user_low = $1 THEN chats.user_high ELSE chats.user_low END AS other_id,
         (
           SELECT count(*) FROM messages AS unread
           WHERE unread.chat_id = mine.id AND unread.id > mine.last_read_message_id
             AND unread.sender_id <> $1
         ) AS unread_count
       FROM (
         SELECT participants.chat_id AS id, participants.last_read_message_id,
           last.id AS message_id, count(*) OVER () AS total
         FROM participants
         CROSS JOIN LATERAL (
           SELECT id FROM messages WHERE chat_id = participants.chat_id ORDER BY id DESC LIMIT 1
         ) AS last
         WHERE participants.user_id = $1
         ORDER BY last.id DESC LIMIT $2 OFFSET $3
       ) AS mine
       JOIN chats ON chats.id = mine.id
       JOIN messages ON messages.id = mine.message_id
       ORDER BY mine.message_id DESC`,
      [actor.user_id, limit, offset],
    );
    const people = await this.people.ensure(rows.map((row) => row.other_id));
    const items = rows.map((row): ChatItem => {
      const person = people.get(row.other_id);
      return {
        id: row.id,
        participant: {
          id: row.other_id,
          username: person?.username ?? '',
          full_name: person?.full_name ?? '',
          avatar_url: person?.avatar_url ?? null,
        },
        last_message: {
          id: row.message_id,
          sender_id: row.sender_id,
          text: row.text,
          sent_at: row.sent_at.toISOString(),
        },
        unread_count: row.unread_count,
      };
    });
    return toPage(items, rows[0]?.total ?? (await this.count(actor)), query);
  }

  /**
   * A stretch of a chat, oldest first: the newest messages, those before an id, or those after one. `has_more` tells
   * whether the stretch goes on in the direction that was read.
   * @throws ApplicationError `NOT_FOUND` also for a chat of others
   */
  async history(
    actor: Caller,
    { id, before, after, limit = 20 }: ReadHistory & ById,
  ): Promise<MessageHistory> {
    const chat = await this.directChats.ofUser(actor.user_id, id);
    const forward = after !== undefined && before === undefined;
    const rows = await this.dataSource.query<MessageRow[]>(
      `SELECT messages.id, messages.sender_id, messages.text, messages.sent_at,
         EXISTS (
           SELECT FROM participants
           WHERE chat_id = $1 AND user_id <> messages.sender_id AND last_read_message_id >= messages.id
         ) AS read
       FROM messages
       WHERE chat_id = $1 AND id > $2 AND id < $3
       ORDER BY id ${forward ? 'ASC' : 'DESC'}
       LIMIT $4`,
      [chat.id, after ?? 0, before ?? Number.MAX_SAFE_INTEGER, limit + 1],
    );
    const page = rows.slice(0, limit);
    if (!forward) page.reverse();
    return {
      items: page.map((row) => ({
        id: row.id,
        chat_id: chat.id,
        sender_id: row.sender_id,
        recipient_id: chat.users.find((userId) => userId !== row.sender_id) ?? null,
        text: row.text,
        sent_at: row.sent_at.toISOString(),
        read: row.read,
      })),
      has_more: rows.length > limit,
    };
  }

  /** Only a page past the end needs it: every other row carries the total. */
  private async count({ user_id: userId }: Caller): Promise<number> {
    const [row] = await this.dataSource.query<{ total: number }[]>(
      `SELECT count(*) AS total FROM participants
       WHERE user_id = $1 AND EXISTS (SELECT FROM messages WHERE chat_id = participants.chat_id)`,
      [userId],
    );
    return row?.total ?? 0;
  }
}
