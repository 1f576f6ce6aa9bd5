import type { MigrationInterface, QueryRunner } from 'typeorm';

const columns = `rating_sum, rating_count, completed_sessions, availability_revision, next_available_at,
  next_available_until`;

/**
 * What changes with every booking and review moves out of `mentors`: a row there is a page of text with trigram indexes,
 * all of which are written anew when an indexed counter changes.
 */
export class CreateMentorStats1796000020004 implements MigrationInterface {
  readonly name = 'CreateMentorStats1796000020004';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE mentor_stats (
        mentor_id integer CONSTRAINT mentor_stats_pkey PRIMARY KEY
          CONSTRAINT mentor_stats_mentor REFERENCES mentors ON DELETE CASCADE,
        rating_sum integer NOT NULL DEFAULT 0,
        rating_count integer NOT NULL DEFAULT 0,
        rating numeric(3, 2) GENERATED ALWAYS AS (round(rating_sum::numeric / nullif(rating_count, 0), 2)) STORED,
        completed_sessions integer NOT NULL DEFAULT 0,
        availability_revision integer NOT NULL DEFAULT 0,
        next_available_at timestamptz,
        next_available_until timestamptz,
        CONSTRAINT mentor_stats_ratings CHECK (
          rating_count >= 0 AND rating_sum BETWEEN rating_count AND 5 * rating_count)
      ) WITH (fillfactor = 70)`);
    await queryRunner.query(
      `INSERT INTO mentor_stats (mentor_id, ${columns}) SELECT id, ${columns} FROM mentors`,
    );
    await queryRunner.query(`
      CREATE INDEX mentor_stats_by_rating ON mentor_stats (rating DESC NULLS LAST, rating_count DESC, mentor_id)`);
    await queryRunner.query(
      'CREATE INDEX mentor_stats_by_sessions ON mentor_stats (completed_sessions DESC, mentor_id)',
    );
    await queryRunner.query(`
      CREATE FUNCTION create_mentor_stats() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO mentor_stats (mentor_id) VALUES (NEW.id);
        RETURN NULL;
      END $$`);
    await queryRunner.query(`
      CREATE TRIGGER mentors_create_stats AFTER INSERT ON mentors
      FOR EACH ROW EXECUTE FUNCTION create_mentor_stats()`);
    await queryRunner.query(`
      ALTER TABLE mentors
        DROP COLUMN rating, DROP COLUMN rating_sum, DROP COLUMN rating_count, DROP COLUMN completed_sessions,
        DROP COLUMN availability_revision, DROP COLUMN next_available_at, DROP COLUMN next_available_until`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE mentors
        ADD COLUMN rating_sum integer NOT NULL DEFAULT 0,
        ADD COLUMN rating_count integer NOT NULL DEFAULT 0,
        ADD COLUMN rating numeric(3, 2) GENERATED ALWAYS AS (round(rating_sum::numeric / nullif(rating_count, 0), 2)) STORED,
        ADD COLUMN completed_sessions integer NOT NULL DEFAULT 0,
        ADD COLUMN availability_revision integer NOT NULL DEFAULT 0,
        ADD COLUMN next_available_at timestamptz,
        ADD COLUMN next_available_until timestamptz`);
    await queryRunner.query(
      `UPDATE mentors SET (${columns}) = (SELECT ${columns} FROM mentor_stats WHERE mentor_id = mentors.id)`,
    );
    await queryRunner.query(`
      ALTER TABLE mentors ADD CONSTRAINT mentors_ratings CHECK (
        rating_count >= 0 AND rating_sum BETWEEN rating_count AND 5 * rating_count)`);
    await queryRunner.query(`
      CREATE INDEX mentors_by_rating ON mentors (rating DESC NULLS LAST, rating_count DESC, id) WHERE status = 'approved'`);
    await queryRunner.query(`
      CREATE INDEX mentors_by_sessions ON mentors (completed_sessions DESC, id) WHERE status = 'approved'`);
    await queryRunner.query('DROP TRIGGER mentors_create_stats ON mentors');
    await queryRunner.query('DROP FUNCTION create_mentor_stats');
    await queryRunner.query('DROP TABLE mentor_stats');
  }
}
