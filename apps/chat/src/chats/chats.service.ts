import {
  type ById,
  type Caller,
  type ChatItem,
  type ChatPage,
  type MessageHistory,
  type MessageView,
  type PageQuery,
  paging,
  type ReadHistory,
  shownName,
  toPage,
} from '@mentorhub/contracts';
import { requestContext } from '@mentorhub/messaging';
import { People } from '@mentorhub/people';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { fitting, maxPageBytes } from '../pages/page-bytes.js';
import { DirectChats } from './direct-chats.js';

interface ChatRow {
  id: number;
  other_id: number;
  last_read_message_id: number;
  /** Unread messages up to the last count, and those after it. */
  counted: number;
  uncounted: number;
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
  /** How many messages there are, up to one more than the limit; those over the budget in bytes are not read. */
  page_rows: number;
}

/**
 * What a list of chats shows of the last messages: 100 whole ones could be more than fits into an answer. A character
 * takes up to 6 bytes as JSON.
 */
const previewCharacters = 1000;
/** A count of so many messages is worth a write. */
const keptCount = 500;

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
      `SELECT mine.*, messages.sender_id, left(messages.text, ${previewCharacters}) AS text, messages.sent_at,
         CASE WHEN chats.user_low = $1 THEN chats.user_high ELSE chats.user_low END AS other_id,
         (
           SELECT count(*) FROM messages AS unread
           WHERE unread.chat_id = mine.id AND unread.id > mine.counted_to AND unread.sender_id <> $1
         ) AS uncounted
       FROM (
         SELECT participants.chat_id AS id, participants.last_read_message_id,
           CASE WHEN unread_from = last_read_message_id THEN unread_to ELSE last_read_message_id END AS counted_to,
           CASE WHEN unread_from = last_read_message_id THEN unread_count ELSE 0 END AS counted,
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
    const locale = requestContext.current()?.locale;
    const items = rows.map((row): ChatItem => {
      const person = people.get(row.other_id);
      return {
        id: row.id,
        participant: {
          id: row.other_id,
          username: person?.username ?? '',
          full_name: shownName(person?.full_name, locale),
          avatar_url: person?.avatar_url ?? null,
        },
        last_message: {
          id: row.message_id,
          sender_id: row.sender_id,
          text: row.text,
          sent_at: row.sent_at.toISOString(),
        },
        unread_count: row.counted + row.uncounted,
      };
    });
    await this.keepCounts(actor, rows);
    return toPage(items, rows[0]?.total ?? (await this.count(actor)), query);
  }

  /**
   * A stretch of a chat, oldest first: the newest messages, those before an id, or those after one; at most `limit`, and
   * at most 600 KB. `has_more` says whether the stretch goes on in the direction that was read.
   * @throws ApplicationError `NOT_FOUND` also for a chat of others
   */
  async history(
    actor: Caller,
    { id, before, after, limit = 20 }: ReadHistory & ById,
  ): Promise<MessageHistory> {
    const chat = await this.directChats.ofUser(actor.user_id, id);
    const forward = after !== undefined && before === undefined;
    const order = forward ? 'ASC' : 'DESC';
    const rows = await this.dataSource.query<MessageRow[]>(
      `SELECT sized.*, EXISTS (
         SELECT FROM participants
         WHERE chat_id = $1 AND user_id <> sized.sender_id AND last_read_message_id >= sized.id
       ) AS read
       FROM (
         SELECT page.*, count(*) OVER () AS page_rows,
           sum(octet_length(text)) OVER (
             ORDER BY id ${order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS bytes_before
         FROM (
           SELECT id, sender_id, text, sent_at FROM messages
           WHERE chat_id = $1 AND id > $2 AND id < $3
           ORDER BY id ${order} LIMIT $4
         ) AS page
       ) AS sized
       WHERE coalesce(bytes_before, 0) <= ${maxPageBytes}
       ORDER BY id ${order}`,
      [chat.id, after ?? 0, before ?? Number.MAX_SAFE_INTEGER, limit + 1],
    );
    const items = fitting(
      rows.slice(0, limit).map((row): MessageView => ({
        id: row.id,
        chat_id: chat.id,
        sender_id: row.sender_id,
        recipient_id: chat.users.find((userId) => userId !== row.sender_id) ?? null,
        text: row.text,
        sent_at: row.sent_at.toISOString(),
        read: row.read,
      })),
      maxPageBytes,
    );
    if (!forward) items.reverse();
    return { items, has_more: (rows[0]?.page_rows ?? 0) > items.length };
  }

  /** Remembers long counts, so that the next ones begin where they ended. */
  private async keepCounts({ user_id: userId }: Caller, rows: readonly ChatRow[]): Promise<void> {
    for (const row of rows) {
      if (row.uncounted < keptCount) continue;
      await this.dataSource.query(
        `UPDATE participants SET unread_from = $3, unread_to = $4, unread_count = $5
         WHERE chat_id = $1 AND user_id = $2 AND last_read_message_id = $3 AND unread_to < $4`,
        [row.id, userId, row.last_read_message_id, row.message_id, row.counted + row.uncounted],
      );
    }
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
