-- What a database needs after it was restored from a backup, before its service starts: time has passed since,
-- and people remember more than it does. deploy/restore runs this by itself; elsewhere, for each database of MentorHub:
--
--   psql --set ON_ERROR_STOP=1 --command "SET mentorhub.taken_at = '2026-11-21T22:00:00Z'" --file deploy/restored.sql ADDRESS
--
-- mentorhub.taken_at is the moment of the data; mentorhub.republish_hours, 24 unless set, how far before it events are
-- published again.
BEGIN;

-- Ids that were given out after the backup are known outside: in links, at payment providers, in access tokens that have
-- not expired. They must not come to mean something else.
DO $$
BEGIN
  PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass,
    least(coalesce(last_value, start_value) + 1000000, max_value))
  FROM pg_sequences WHERE schemaname = 'public';
END $$;

DO $$
DECLARE
  taken_at constant timestamptz NOT NULL := current_setting('mentorhub.taken_at');
  hours constant integer NOT NULL :=
    coalesce(nullif(current_setting('mentorhub.republish_hours', true), ''), '24');
BEGIN
  IF to_regclass('public.outbox') IS NOT NULL THEN
    -- The event stream is new and empty, while not all that was published had been handled. By itself the relay would go
    -- back 24 hours from now.
    UPDATE public.outbox SET published_at = NULL WHERE published_at >= taken_at - hours * interval '1 hour';
    -- Receipts stay for 14 days, as long as an event may come again. For them no time has passed.
    IF now() - taken_at > interval '1 day' THEN
      UPDATE public.inbox SET handled_at = handled_at + (now() - taken_at);
    END IF;
  END IF;
  IF to_regclass('public.user_logs') IS NOT NULL THEN
    -- A device that knows later offsets learns that this is another log, and reads anew.
    UPDATE public.user_logs SET epoch = gen_random_uuid();
  END IF;
END $$;

COMMIT;
