import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What the relay reads at once is bounded in bytes. A function, as a statement would sum up, and so read, all rows before it
 * leaves out those that are too many.
 */
export class BoundRelayBatches1796000030002 implements MigrationInterface {
  readonly name = 'BoundRelayBatches1796000030002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- The first rows that wait, until their payloads have so many bytes together; at least one, if there is one.
      CREATE FUNCTION next_outbox_rows(most_rows integer, most_bytes integer) RETURNS TABLE (
        id text, event_id uuid, subject text, type text, aggregate_id text, version integer, payload text, trace text,
        occurred_at text, bytes integer
      ) LANGUAGE plpgsql STABLE AS $$
      DECLARE
        waiting record;
      BEGIN
        bytes := 0;
        FOR waiting IN
          SELECT * FROM outbox WHERE outbox.published_at IS NULL AND outbox.parked_at IS NULL
          ORDER BY outbox.id LIMIT most_rows
        LOOP
          id := waiting.id;
          event_id := waiting.event_id;
          subject := waiting.subject;
          type := waiting.type;
          aggregate_id := waiting.aggregate_id;
          version := waiting.version;
          -- Read here, row by row: a large one is stored apart, and the loop fetches rows ahead.
          payload := waiting.payload;
          trace := waiting.trace;
          occurred_at := to_char(waiting.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
          bytes := bytes + octet_length(payload);
          RETURN NEXT;
          EXIT WHEN bytes >= most_bytes;
        END LOOP;
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION next_outbox_rows(integer, integer)');
  }
}
