import { messageSent } from '@mentorhub/contracts';

/**
 * Stores a batch of messages with everything that follows from them, as one statement: one round trip, one commit.
 *
 * Parameters: chat ids `int[]`, sender ids `int[]`, texts `text[]`, client ids `text[]`, traces `text[]`; an element of
 * each per message. Answers one row per stored message and participant, in the order of message ids. A message whose
 * (sender, client id) exists already has no rows, nor has one whose sender is not in the chat.
 *
 * Why it is safe side by side, in any number of replicas:
 * - `locked` takes the log rows of all participants in the order of their ids, before anything else is locked, so
 *   two batches cannot wait for each other in a circle; receipts and notifications lock in the same order.
 * - Message ids are drawn after that (`numbered` needs the count of `locked`), so whoever holds a chat's logs draws
 *   higher ids than whoever held them before: the order of ids, of offsets and of `sent_at` is the same for all.
 * - One event tells of the whole batch, under the id of its first message; a trace of one of them leads to it.
 * - Only participants write: who is none is left out, which is what a foreign key would hold at a fifth of the cost.
 */
export const storeMessagesSql = `
WITH input AS MATERIALIZED (
  SELECT * FROM unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::text[])
    WITH ORDINALITY AS input (chat_id, sender_id, text, client_id, trace, ordinal)
),
targets AS MATERIALIZED (
  SELECT input.ordinal, input.chat_id, participants.user_id, participants.user_id <> input.sender_id AS receives
  FROM input JOIN participants USING (chat_id)
),
locked AS MATERIALIZED (
  SELECT user_id FROM user_logs
  WHERE user_id = ANY (ARRAY(SELECT user_id FROM targets))
  ORDER BY user_id FOR UPDATE
),
numbered AS MATERIALIZED (
  SELECT nextval('messages_id_seq') AS id, clock.now AS sent_at, ordered.*
  FROM
    (SELECT date_trunc('milliseconds', clock_timestamp()) AS now FROM (SELECT count(*) FROM locked) AS after_locks) AS clock,
    LATERAL (
      SELECT * FROM input
      WHERE EXISTS (
        SELECT FROM targets WHERE targets.ordinal = input.ordinal AND targets.user_id = input.sender_id
      )
      ORDER BY ordinal
    ) AS ordered
),
stored AS (
  INSERT INTO messages (id, chat_id, sender_id, text, client_id, sent_at)
  SELECT id, chat_id, sender_id, text, client_id, sent_at FROM numbered
  ON CONFLICT (sender_id, client_id) WHERE client_id IS NOT NULL DO NOTHING
  RETURNING id
),
sent AS MATERIALIZED (
  SELECT numbered.* FROM stored JOIN numbered USING (id)
),
deliveries AS MATERIALIZED (
  SELECT sent.id, sent.chat_id, targets.user_id, targets.receives,
    row_number() OVER (PARTITION BY targets.user_id ORDER BY sent.id) AS nth
  FROM sent JOIN targets USING (ordinal)
),
bumped AS (
  UPDATE user_logs SET last_offset = last_offset + counts.deliveries
  FROM (SELECT user_id, count(*) AS deliveries FROM deliveries GROUP BY user_id) AS counts
  WHERE user_logs.user_id = counts.user_id
  RETURNING user_logs.user_id, user_logs.last_offset - counts.deliveries AS offset_before
),
logged AS (
  INSERT INTO log_entries (user_id, "offset", kind, message_id)
  SELECT user_id, offset_before + nth, 'message', id FROM deliveries JOIN bumped USING (user_id)
  RETURNING message_id, user_id, "offset"
),
facts AS MATERIALIZED (
  SELECT sent.*, coalesce(people.username, '') AS username, coalesce(people.full_name, '') AS full_name
  FROM sent LEFT JOIN people ON people.user_id = sent.sender_id
),
told AS (
  INSERT INTO outbox (event_id, subject, type, aggregate_id, version, payload, trace)
  SELECT uuidv7(), '${messageSent.subject}', '${messageSent.type}', min(facts.id)::text, ${messageSent.version},
    jsonb_build_object('messages', jsonb_agg(
      jsonb_build_object(
        'message_id', facts.id, 'chat_id', facts.chat_id, 'sender_id', facts.sender_id, 'sender_name', facts.full_name,
        'recipient_ids', recipients.ids,
        'sent_at', to_char(facts.sent_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
      ) ORDER BY facts.id
    )),
    min(facts.trace)
  FROM facts JOIN (
    SELECT id, jsonb_agg(user_id) AS ids FROM deliveries WHERE receives GROUP BY id
  ) AS recipients USING (id)
  HAVING count(*) > 0
)
SELECT
  facts.ordinal::int AS ordinal, facts.id, facts.username,
  (extract(epoch FROM facts.sent_at) * 1000)::float8 AS sent_at_ms,
  logged.user_id, logged."offset"
FROM facts JOIN logged ON logged.message_id = facts.id
ORDER BY facts.id, logged.user_id
`;
