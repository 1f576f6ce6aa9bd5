/**
 * Marks a chat as read up to a message, as one statement: one round trip, and the logs of both users are locked no
 * longer than it takes. Parameters: the reader, the message, and when it was read, as text.
 *
 * Answers no row for a message of others, else one: `read_to`, up to where the chat was read before or is now;
 * `unread_count`; `moves`, whether this message is after what was read before; and `offsets` by user of the log entries,
 * null when none was made. None, although it moves, says that another statement has moved the same reader meanwhile:
 * run it again.
 *
 * What is unread is counted on from the last count (see the migration CountUnread): a message is counted once when it is
 * new and once when it is read, and before the logs are locked. Ids of a chat become visible in their order, so what the
 * statement cannot see is after everything that it counts.
 *
 * The logs are locked in the order of user ids and before the participant, as by those who store messages.
 */
export const readMessagesSql = `
WITH place AS MATERIALIZED (
  SELECT mine.chat_id, mine.last_read_message_id AS last_read,
    CASE WHEN mine.unread_from = mine.last_read_message_id THEN mine.unread_to ELSE mine.last_read_message_id END
      AS counted_to,
    CASE WHEN mine.unread_from = mine.last_read_message_id THEN mine.unread_count ELSE 0 END AS counted,
    (SELECT max(id) FROM messages WHERE chat_id = mine.chat_id) AS newest
  FROM messages
  JOIN participants AS mine ON mine.chat_id = messages.chat_id AND mine.user_id = $1
  WHERE messages.id = $2
),
counted AS MATERIALIZED (
  SELECT chat_id, last_read, newest, $2::bigint > last_read AS moves, greatest($2::bigint, last_read) AS read_to,
    CASE WHEN $2 < counted_to THEN counted - (
      SELECT count(*) FROM messages
      WHERE chat_id = place.chat_id AND id > last_read AND id <= $2 AND sender_id <> $1
    ) ELSE 0 END + (
      SELECT count(*) FROM messages
      WHERE chat_id = place.chat_id AND id > greatest($2::bigint, counted_to) AND sender_id <> $1
    ) AS unread
  FROM place
),
logs AS MATERIALIZED (
  SELECT user_id, last_offset FROM user_logs
  WHERE user_id IN (
    SELECT everyone.user_id FROM counted JOIN participants AS everyone ON everyone.chat_id = counted.chat_id WHERE moves
  )
  ORDER BY user_id FOR UPDATE
),
moved AS (
  UPDATE participants
  SET last_read_message_id = $2, unread_from = $2, unread_to = newest, unread_count = unread
  FROM counted
  WHERE participants.chat_id = counted.chat_id AND participants.user_id = $1 AND moves
    AND participants.last_read_message_id = counted.last_read AND EXISTS (SELECT FROM logs)
  RETURNING participants.chat_id
),
unpublished AS (
  -- The update locks the row, so that it is not published with the message before.
  INSERT INTO unpublished_reads (chat_id, user_id, message_id)
  SELECT chat_id, $1, $2 FROM moved
  ON CONFLICT (chat_id, user_id) DO UPDATE SET message_id = excluded.message_id
),
bumped AS (
  UPDATE user_logs SET last_offset = logs.last_offset + 1
  FROM logs, moved
  WHERE user_logs.user_id = logs.user_id
  RETURNING user_logs.user_id, user_logs.last_offset AS "offset", moved.chat_id
),
logged AS (
  INSERT INTO log_entries (user_id, "offset", kind, payload)
  SELECT user_id, "offset", 'read',
    jsonb_build_object('chat_id', chat_id, 'message_id', $2::bigint, 'user_id', $1::int, 'read_at', $3::text)
  FROM bumped
)
SELECT chat_id, read_to, unread AS unread_count, moves,
  (SELECT json_object_agg(user_id, "offset") FROM bumped) AS offsets
FROM counted
`;
