import { messageSent } from '@mentorhub/contracts';

/**
 * Stores a batch of messages with everything that follows from them, as one statement: one round trip, one commit.
 *
 * Parameters, an element of each per message: chat ids `int[]`, sender ids `int[]`, texts `text[]`, client ids
 * `text[]`, the other users of the chat as JSON `text[]`. Then an element per message and user of its chat: ordinals of
 * the messages `int[]`, user ids `int[]`. Then a trace `text`.
 *
 * Answers one row: when the messages were sent, and of each stored message and user of its chat, in the order of
 * message ids, the ordinal, the message's id, the sender's username, the user's id and the offset in the user's log. A
 * message whose (sender, client id) exists already is left out.
 *
 * Why it is safe side by side, in any number of replicas:
 * - `logs` takes the log rows of all users in the order of their ids, before anything else is locked, so two batches
 *   cannot wait for each other in a circle; receipts and notifications lock in the same order.
 * - Message ids are drawn after that (`numbered` and `clock` need the count of `logs`), so whoever holds a chat's logs
 *   draws higher ids than whoever held them before: the order of ids, of offsets and of `sent_at` is the same for all.
 * - The caller says who is in a chat, which never changes. A foreign key would hold it at a fifth of the cost.
 *
 * One event tells of the whole batch, under the id of its first message; a trace of one of them leads to it. Its JSON is
 * put together as text: the functions for that take as long as all the rest of the event.
 */
export const storeMessagesSql = `
WITH logs AS MATERIALIZED (
  SELECT user_id, last_offset FROM user_logs
  WHERE user_id = ANY ($7::int[])
  ORDER BY user_id FOR UPDATE
),
clock AS MATERIALIZED (
  SELECT date_trunc('milliseconds', clock_timestamp()) AS now FROM (SELECT count(*) FROM logs) AS after_locks
),
numbered AS MATERIALIZED (
  SELECT nextval('messages_id_seq') AS id, input.*
  FROM
    (SELECT count(*) FROM logs) AS after_locks,
    LATERAL unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::text[])
      WITH ORDINALITY AS input (chat_id, sender_id, text, client_id, recipients, ordinal)
),
stored AS (
  INSERT INTO messages (id, chat_id, sender_id, text, client_id, sent_at)
  SELECT id, chat_id, sender_id, text, client_id, (SELECT now FROM clock) FROM numbered
  ON CONFLICT (sender_id, client_id) WHERE client_id IS NOT NULL DO NOTHING
  RETURNING id
),
sent AS MATERIALIZED (
  SELECT numbered.id, chat_id, sender_id, recipients, ordinal,
    coalesce(people.username, '') AS username, coalesce(people.full_name, '') AS full_name
  FROM stored JOIN numbered USING (id) LEFT JOIN people ON people.user_id = sender_id
),
deliveries AS MATERIALIZED (
  SELECT sent.ordinal, sent.id, sent.username, user_id,
    row_number() OVER (PARTITION BY user_id ORDER BY sent.id) AS nth
  FROM sent JOIN unnest($6::int[], $7::int[]) AS users (ordinal, user_id) USING (ordinal)
),
bumped AS (
  UPDATE user_logs SET last_offset = last_offset + counts.deliveries
  FROM (SELECT user_id, count(*) AS deliveries FROM deliveries GROUP BY user_id) AS counts
  WHERE user_logs.user_id = counts.user_id
),
placed AS MATERIALIZED (
  SELECT deliveries.*, last_offset + nth AS "offset" FROM deliveries JOIN logs USING (user_id)
),
logged AS (
  INSERT INTO log_entries (user_id, "offset", kind, message_id)
  SELECT user_id, "offset", 'message', id FROM placed
),
told AS (
  INSERT INTO outbox (event_id, subject, type, aggregate_id, version, payload, trace)
  SELECT uuidv7(), '${messageSent.subject}', '${messageSent.type}', min(id)::text, ${messageSent.version},
    ('{"messages":[' || string_agg(
      '{"message_id":' || id || ',"chat_id":' || chat_id || ',"sender_id":' || sender_id
        || ',"sender_name":' || to_json(full_name) || ',"recipient_ids":' || recipients
        || ',"sent_at":"' || sent_at.text || '"}',
      ',' ORDER BY id
    ) || ']}')::json,
    $8
  FROM sent,
    (SELECT to_char(now AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS text FROM clock) AS sent_at
  HAVING count(*) > 0
)
SELECT
  (SELECT (extract(epoch FROM now) * 1000)::float8 FROM clock) AS sent_at_ms,
  coalesce(json_agg(ordinal), '[]') AS ordinals,
  coalesce(json_agg(id), '[]') AS ids,
  coalesce(json_agg(username), '[]') AS usernames,
  coalesce(json_agg(user_id), '[]') AS user_ids,
  coalesce(json_agg("offset"), '[]') AS offsets
FROM (SELECT * FROM placed ORDER BY id) AS placed
`;
