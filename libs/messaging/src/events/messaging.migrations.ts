import type { MigrationInterface, QueryRunner } from 'typeorm';
import { CreateEventProcesses1796000000110 } from './event-processes.migration.js';
import { IndexParkedEvents1796000040001 } from './parked-index.migration.js';
import { BoundRelayBatches1796000030002 } from './relay-batch.migration.js';
import { RememberStreamTail1796000000111 } from './stream-tail.migration.js';

export type MigrationClass = new () => MigrationInterface;

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
          PERFORM pg_notify('outbox', '');
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

/** Failed events are stored whole, in line with those of their aggregate, instead of being left with the broker. */
class StoreRetries1796000000101 implements MigrationInterface {
  readonly name = 'StoreRetries1796000000101';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- Whatever waited here was not acknowledged, so the broker delivers it again and its attempts begin anew.
      DROP TABLE inbox_retries;
      CREATE TABLE inbox_retries (
        -- The order in which the events of an aggregate are handled.
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event_id uuid NOT NULL CONSTRAINT inbox_retries_event_id_key UNIQUE,
        aggregate text NOT NULL,
        subject text NOT NULL,
        -- Those that have not handled the event.
        handlers text[] NOT NULL,
        envelope json NOT NULL,
        traceparent text,
        attempts integer NOT NULL DEFAULT 0,
        error text,
        -- Of the first event of each aggregate only; the others wait for their turn.
        retry_at timestamptz,
        stored_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX inbox_retries_aggregate ON inbox_retries (aggregate, id);
      CREATE INDEX inbox_retries_due ON inbox_retries (retry_at) WHERE retry_at IS NOT NULL;

      -- As json, an envelope may say what jsonb cannot store, such as U+0000.
      ALTER TABLE dead_letters ALTER COLUMN envelope TYPE json;

      -- Counts the leaders of this service. A transaction that handles events locks the row in share mode and checks
      -- that the term is still its own, so a former leader can commit nothing once its successor has begun.
      CREATE TABLE event_leadership (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        term bigint NOT NULL
      );
      INSERT INTO event_leadership (term) VALUES (0);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE event_leadership;
      ALTER TABLE dead_letters ALTER COLUMN envelope TYPE jsonb;
      DROP TABLE inbox_retries;
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
    `);
  }
}

/** An event that can never be published is set aside, so that it does not stop the others. */
class ParkEvents1796000000102 implements MigrationInterface {
  readonly name = 'ParkEvents1796000000102';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE outbox ADD COLUMN parked_at timestamptz, ADD COLUMN parked_because text;
      DROP INDEX outbox_unpublished;
      CREATE INDEX outbox_unpublished ON outbox (id)
        WHERE published_at IS NULL AND parked_at IS NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX outbox_unpublished;
      ALTER TABLE outbox DROP COLUMN parked_at, DROP COLUMN parked_because;
      CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
    `);
  }
}

/** The relay looks by itself all the time, so writers need not wake it. */
class DropOutboxWake1796000000103 implements MigrationInterface {
  readonly name = 'DropOutboxWake1796000000103';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER outbox_wake ON outbox;
      DROP FUNCTION wake_outbox_relay();
      DROP SEQUENCE outbox_relay_state;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE SEQUENCE outbox_relay_state MAXVALUE 2;
      CREATE FUNCTION wake_outbox_relay() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF (SELECT last_value FROM outbox_relay_state) = 2 THEN
          PERFORM pg_notify('outbox', '');
        END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER outbox_wake AFTER INSERT ON outbox
        FOR EACH STATEMENT EXECUTE FUNCTION wake_outbox_relay();
    `);
  }
}

/** Tables of the outbox, the inbox and the dead letters; part of every service's migrations. */
export const messagingMigrations: MigrationClass[] = [
  CreateMessaging1760000000000,
  StoreRetries1796000000101,
  ParkEvents1796000000102,
  DropOutboxWake1796000000103,
  CreateEventProcesses1796000000110,
  RememberStreamTail1796000000111,
  BoundRelayBatches1796000030002,
  IndexParkedEvents1796000040001,
];
