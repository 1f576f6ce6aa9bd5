import { messageSent } from '@mentorhub/contracts';

/**
 * Stores a batch of messages with everything that follows from them, as one statement: one round trip, one commit.
 *
 * Parameters, an element of each per message: chat ids `int[]`, sender ids `int[]`, texts `text[]`, client ids
 * `text[]`, the chats' lower and higher user ids `int[]`, and which of the batch's messages it is for each of the two,
 * counted from 1, `int[]`. Then an element of each per user: ids `int[]`, numbers of messages `int[]`. Then a trace
 * `text`.
 *
 * Answers one row with what the messages got, in their order: ids, senders' usernames, offsets in the two users' logs;
 * and when they were sent. Fails as a whole when a (sender, client id) exists already. Stores nothing when someone else
 * has locked one of the logs, and answers which of them were free: waiting would delay everyone in the batch.
 *
 * Why it is safe side by side, in any number of replicas:
 * - `logs` takes the log rows of all users in the order of their ids, before anything else is locked, so two batches
 *   cannot wait for each other in a circle; receipts and notifications lock in the same order.
 * - Message ids are drawn after that (`placed` and `clock` need `logs`), so a statement that has locked a chat's logs
 *   draws higher ids than those before: the order of ids, of offsets and of `sent_at` is the same for all.
 * - The caller says who is in a chat, which never changes. Every user of a chat has a log.
 *
 * One event reports the whole batch, under the id of its first message; a trace of one of them leads to it. Its JSON is
 * put together as text: the functions for that take as long as all the rest of the event.
 */
export const storeMessagesSql = `
WITH logs AS MATERIALIZED (
  SELECT user_id, last_offset FROM user_logs
  WHERE user_id = ANY ($9::int[])
  ORDER BY user_id FOR UPDATE SKIP LOCKED
),
clock AS MATERIALIZED (
  SELECT date_trunc('milliseconds', clock_timestamp()) AS now FROM (SELECT count(*) FROM logs) AS after_locks
),
placed AS MATERIALIZED (
  SELECT nextval('messages_id_seq') AS id, ordered.*
  FROM (
    SELECT input.*, low.last_offset + nth_low AS offset_low, high.last_offset + nth_high AS offset_high,
      coalesce(people.username, '') AS username, coalesce(people.full_name, '') AS full_name
    FROM unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::int[], $6::int[], $7::int[], $8::int[])
      WITH ORDINALITY
      AS input (chat_id, sender_id, text, client_id, user_low, user_high, nth_low, nth_high, ordinal)
    LEFT JOIN logs AS low ON low.user_id = user_low
    LEFT JOIN logs AS high ON high.user_id = user_high
    LEFT JOIN people ON people.user_id = sender_id
    WHERE (SELECT count(*) FROM logs) = cardinality($9::int[])
    ORDER BY ordinal
  ) AS ordered
),
stored AS (
  INSERT INTO messages (id, chat_id, sender_id, text, client_id, sent_at, offset_low, offset_high)
  SELECT id, chat_id, sender_id, text, client_id, now, offset_low, offset_high FROM placed, clock
),
counted AS (
  UPDATE user_logs SET last_offset = last_offset + counts.messages
  FROM unnest($9::int[], $10::int[]) AS counts (user_id, messages)
  WHERE user_logs.user_id = counts.user_id AND EXISTS (SELECT FROM placed)
),
published AS (
  INSERT INTO outbox (event_id, subject, type, aggregate_id, version, payload, trace)
  SELECT uuidv7(), '${messageSent.subject}', '${messageSent.type}', min(id)::text, ${messageSent.version},
    (
      '{"sent_at":"'
      || (SELECT to_char(now AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') FROM clock)
      || '","messages":[' || string_agg(
        '{"message_id":' || id || ',"chat_id":' || chat_id || ',"sender_id":' || sender_id
          || ',"sender_name":' || to_json(full_name)
          || ',"recipient_ids":[' || CASE sender_id WHEN user_low THEN user_high ELSE user_low END || ']}',
        ',' ORDER BY ordinal
      ) || ']}'
    )::json,
    $11
  FROM placed
  HAVING count(*) > 0
)
SELECT
  CASE WHEN count(*) = 0 THEN (SELECT json_agg(user_id) FROM logs) END AS free_logs,
  (SELECT (extract(epoch FROM now) * 1000)::float8 FROM clock) AS sent_at_ms,
  json_agg(id ORDER BY ordinal) AS ids,
  json_agg(username ORDER BY ordinal) AS usernames,
  json_agg(offset_low ORDER BY ordinal) AS offsets_low,
  json_agg(offset_high ORDER BY ordinal) AS offsets_high
FROM placed
`;
