import type { MigrationInterface, QueryRunner } from 'typeorm';

export type MigrationClass = new () => MigrationInterface;

/** Channel on which the trigger of `outbox` wakes the relay. */
export const OUTBOX_CHANNEL = 'outbox';

class CreateMessaging1760000000000 implements MigrationInterface {
  readonly name = 'CreateMessaging1760000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event_id uuid NOT NULL CONSTRAINT outbox_event_id_key UNIQUE,
        subject text NOT NULL,
        type text NOT NULL,
        aggregate_id text NOT NULL,
        version integer NOT NULL,
        -- The text that is published as it is; nothing looks into it here.
        payload json NOT NULL,
        trace text,
        occurred_at timestamptz NOT NULL DEFAULT now(),
        published_at timestamptz
      );
      CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;

      -- 1: the relay is awake and looks by itself; 2: it sleeps until it is notified. A sequence, as its value is seen
      -- at once and by all.
      CREATE SEQUENCE outbox_relay_state MAXVALUE 2;

      -- NOTIFY makes the commits of the whole cluster wait for one another, which halves their rate under load. So
      -- only a sleeping relay is woken, and under load it never sleeps.
      CREATE FUNCTION wake_outbox_relay() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF (SELECT last_value FROM outbox_relay_state) = 2 THEN
          PERFORM pg_notify('${OUTBOX_CHANNEL}', '');
        END IF;
        RETURN NULL;
      END $$;
      -- Once per statement; PostgreSQL folds equal notifications of a transaction into one.
      CREATE TRIGGER outbox_wake AFTER INSERT ON outbox
        FOR EACH STATEMENT EXECUTE FUNCTION wake_outbox_relay();

      -- The stream this service last published to: another creation time means that the store was lost.
      CREATE TABLE outbox_stream (
        name text PRIMARY KEY,
        created text NOT NULL,
        seen_at timestamptz NOT NULL DEFAULT now()
      );

      CREATE TABLE inbox (
        event_id uuid NOT NULL,
        handler text NOT NULL,
        handled_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (event_id, handler)
      );

      CREATE TABLE inbox_retries (
        event_id uuid NOT NULL,
        handler text NOT NULL,
        aggregate text NOT NULL,
        sequence bigint NOT NULL,
        attempts integer NOT NULL,
        error text NOT NULL,
        retry_at timestamptz NOT NULL,
        PRIMARY KEY (event_id, handler)
      );
      CREATE INDEX inbox_retries_aggregate ON inbox_retries (handler, aggregate);

      CREATE TABLE dead_letters (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event_id uuid NOT NULL,
        handler text NOT NULL,
        subject text NOT NULL,
        envelope jsonb NOT NULL,
        error text NOT NULL,
        attempts integer NOT NULL,
        died_at timestamptz NOT NULL DEFAULT now(),
        retried_at timestamptz,
        CONSTRAINT dead_letters_event_handler_key UNIQUE (event_id, handler)
      );
      CREATE INDEX dead_letters_waiting ON dead_letters (id) WHERE retried_at IS NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE dead_letters, inbox_retries, inbox, outbox_stream, outbox;
      DROP SEQUENCE outbox_relay_state;
      DROP FUNCTION wake_outbox_relay();
    `);
  }
}

/** Tables of the outbox, the inbox and the dead letters; part of every service's migrations. */
export const messagingMigrations: MigrationClass[] = [CreateMessaging1760000000000];
