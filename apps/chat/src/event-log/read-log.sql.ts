/**
 * The id of the last message up to an offset of a user's log, `$1` and `$2`. Looks at every message after it, so it is
 * for the first page of a reader; the later ones know.
 */
export const lastMessageSql = `
SELECT coalesce(max(last_seen.id), 0) AS id
FROM participants
JOIN chats ON chats.id = participants.chat_id
CROSS JOIN LATERAL (
  SELECT id FROM messages
  WHERE chat_id = chats.id AND CASE WHEN chats.user_low = $1 THEN offset_low ELSE offset_high END <= $2
  ORDER BY id DESC LIMIT 1
) AS last_seen
WHERE participants.user_id = $1`;

/**
 * What is in a user's log, `$1`, after one offset and up to another, `$2` and `$3`: entries, and messages of each of the
 * user's chats. In the log of a user the offsets grow with the ids of the messages, whatever chats they are in. So each
 * chat is walked from the last message that the reader has, `$4`, and left at the first one after the page: a page
 * costs as much as it has rows, and one look for each chat.
 *
 * Ends with the row that takes the texts over `$5` bytes; as JSON they are longer, never shorter.
 */
export const readLogSql = `
WITH RECURSIVE walked AS (
  SELECT mine.*, following.*
  FROM (
    SELECT chats.id AS chat_id, chats.user_low = $1 AS is_low
    FROM participants JOIN chats ON chats.id = participants.chat_id
    WHERE participants.user_id = $1
  ) AS mine
  CROSS JOIN LATERAL (
    SELECT id, CASE WHEN mine.is_low THEN offset_low ELSE offset_high END AS "offset"
    FROM messages WHERE chat_id = mine.chat_id AND id > $4 ORDER BY id LIMIT 1
  ) AS following
  WHERE following."offset" <= $3
  UNION ALL
  SELECT walked.chat_id, walked.is_low, following.*
  FROM walked
  CROSS JOIN LATERAL (
    SELECT id, CASE WHEN walked.is_low THEN offset_low ELSE offset_high END AS "offset"
    FROM messages WHERE chat_id = walked.chat_id AND id > walked.id ORDER BY id LIMIT 1
  ) AS following
  WHERE following."offset" <= $3
),
placed AS (
  SELECT "offset", kind, payload, NULL::bigint AS id FROM log_entries
  WHERE user_id = $1 AND "offset" > $2 AND "offset" <= $3
  UNION ALL
  SELECT "offset", 'message', NULL, id FROM walked
),
sized AS (
  SELECT placed."offset", placed.kind, placed.payload, messages.id, messages.chat_id, messages.sender_id, messages.text,
    messages.client_id, messages.sent_at,
    sum(octet_length(coalesce(messages.text, placed.payload::text))) OVER (
      ORDER BY placed."offset" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS bytes_before
  FROM placed LEFT JOIN messages ON messages.id = placed.id
)
SELECT sized.*, people.username, (SELECT count(*) FROM placed) AS page_rows
FROM sized
LEFT JOIN people ON people.user_id = sized.sender_id
WHERE coalesce(sized.bytes_before, 0) <= $5
ORDER BY sized."offset"`;
