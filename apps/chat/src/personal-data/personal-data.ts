import { type PersonalDataSource, rowsByKey } from '@mentorhub/persistence';

/** What chat holds of a user: of messages those that the user wrote. */
export const personalDataSources: readonly PersonalDataSource[] = [
  rowsByKey('people', 'SELECT * FROM people WHERE user_id = $1', 'user_id'),
  rowsByKey(
    'chats',
    `SELECT chats.id, CASE user_low WHEN $1 THEN user_high ELSE user_low END AS with_user_id, created_at
     FROM participants JOIN chats ON chats.id = chat_id WHERE user_id = $1`,
  ),
  rowsByKey(
    'participants',
    `SELECT chat_id, last_read_message_id, unread_from, unread_to, unread_count
     FROM participants WHERE user_id = $1`,
    'chat_id',
  ),
  {
    name: 'messages',
    // Chat by chat, as the index goes; the cursor is the chat and the message.
    sql: `
      WITH last AS (
        SELECT coalesce(split_part($2::text, '.', 1), '0')::bigint AS chat_id,
          coalesce(split_part($2::text, '.', 2), '0')::bigint AS id
      )
      SELECT sent.chat_id || '.' || sent.id AS cursor, row_to_json(sent) AS item
      FROM (
        SELECT participants.chat_id FROM participants, last
        WHERE user_id = $1 AND participants.chat_id >= last.chat_id
        ORDER BY participants.chat_id
      ) AS mine
      CROSS JOIN LATERAL (
        SELECT messages.id, messages.chat_id, text, client_id, sent_at FROM messages, last
        WHERE messages.chat_id = mine.chat_id AND sender_id = $1
          AND messages.id > CASE mine.chat_id WHEN last.chat_id THEN last.id ELSE 0 END
        ORDER BY messages.id LIMIT $3
      ) AS sent
      ORDER BY sent.chat_id, sent.id LIMIT $3`,
  },
  rowsByKey(
    'log_entries',
    'SELECT "offset" AS place, kind, payload, logged_at FROM log_entries WHERE user_id = $1',
    'place',
  ),
  rowsByKey('log_inbox', 'SELECT id, kind, payload FROM log_inbox WHERE user_id = $1'),
  rowsByKey(
    'user_logs',
    'SELECT user_id, last_offset FROM user_logs WHERE user_id = $1',
    'user_id',
  ),
  rowsByKey(
    'unpublished_reads',
    'SELECT chat_id, message_id FROM unpublished_reads WHERE user_id = $1',
    'chat_id',
  ),
  rowsByKey(
    'gateway_users',
    'SELECT gateway_id, since FROM gateway_users WHERE user_id = $1',
    'gateway_id',
    'text',
  ),
];
