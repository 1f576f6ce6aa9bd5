import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Who sits in which live booking, as mentor or as mentee, so that one constraint keeps a person from sitting in two at
 * once. A trigger keeps the rows, so that no statement can forget them.
 */
export class CreateBookingParticipants1796000020001 implements MigrationInterface {
  readonly name = 'CreateBookingParticipants1796000020001';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE booking_participants (
        booking_id integer NOT NULL
          CONSTRAINT booking_participants_booking REFERENCES bookings ON DELETE CASCADE,
        user_id integer NOT NULL,
        during tstzrange NOT NULL,
        CONSTRAINT booking_participants_pkey PRIMARY KEY (booking_id, user_id),
        CONSTRAINT booking_participants_overlap EXCLUDE USING gist (user_id WITH =, during WITH &&)
      )`);
    // Sorted by user, so that two bookings of the same two people wait for each other in the same order. With ON
    // CONFLICT, because plain inserts that race under an exclusion constraint deadlock.
    await queryRunner.query(`
      CREATE FUNCTION keep_booking_participants() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE
        seated integer;
      BEGIN
        IF TG_OP = 'UPDATE' THEN
          DELETE FROM booking_participants WHERE booking_id = NEW.id;
        END IF;
        IF NEW.status NOT IN ('pending', 'confirmed') THEN
          RETURN NULL;
        END IF;
        INSERT INTO booking_participants (booking_id, user_id, during)
        SELECT NEW.id, user_id, during
        FROM (
          SELECT user_id, NEW.blocked FROM mentors WHERE id = NEW.mentor_id
          UNION ALL
          SELECT NEW.mentee_user_id, NEW.during
        ) AS participants (user_id, during)
        ORDER BY user_id
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS seated = ROW_COUNT;
        IF seated <> 2 THEN
          RAISE EXCEPTION 'Booking % overlaps another one of its mentor or its mentee.', NEW.id
            USING ERRCODE = 'exclusion_violation', TABLE = 'booking_participants',
              CONSTRAINT = 'booking_participants_overlap';
        END IF;
        RETURN NULL;
      END $$`);
    await queryRunner.query(`
      CREATE TRIGGER bookings_keep_participants AFTER INSERT ON bookings
      FOR EACH ROW WHEN (NEW.status IN ('pending', 'confirmed'))
      EXECUTE FUNCTION keep_booking_participants()`);
    await queryRunner.query(`
      CREATE TRIGGER bookings_change_participants AFTER UPDATE ON bookings
      FOR EACH ROW WHEN (
        (OLD.status IN ('pending', 'confirmed')) <> (NEW.status IN ('pending', 'confirmed'))
        OR (OLD.mentor_id, OLD.mentee_user_id, OLD.during, OLD.blocked)
          IS DISTINCT FROM (NEW.mentor_id, NEW.mentee_user_id, NEW.during, NEW.blocked))
      EXECUTE FUNCTION keep_booking_participants()`);
    // Until now a mentor could also be a mentee at the same time. Such bookings stay as they are; the later one of two
    // lacks the row of the person they share.
    await queryRunner.query(`
      INSERT INTO booking_participants (booking_id, user_id, during)
      SELECT booking_id, user_id, during
      FROM (
        SELECT b.id, m.user_id, b.blocked FROM bookings b JOIN mentors m ON m.id = b.mentor_id
        WHERE b.status IN ('pending', 'confirmed')
        UNION ALL
        SELECT id, mentee_user_id, during FROM bookings WHERE status IN ('pending', 'confirmed')
      ) AS participants (booking_id, user_id, during)
      ORDER BY booking_id, user_id
      ON CONFLICT DO NOTHING`);
    await queryRunner.query(`
      ALTER TABLE bookings
        DROP CONSTRAINT bookings_mentor_overlap, DROP CONSTRAINT bookings_mentee_overlap`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    const live = `WHERE (status IN ('pending', 'confirmed'))`;
    await queryRunner.query(`
      ALTER TABLE bookings
        ADD CONSTRAINT bookings_mentor_overlap
          EXCLUDE USING gist (mentor_id WITH =, blocked WITH &&) ${live},
        ADD CONSTRAINT bookings_mentee_overlap
          EXCLUDE USING gist (mentee_user_id WITH =, during WITH &&) ${live}`);
    await queryRunner.query('DROP TRIGGER bookings_keep_participants ON bookings');
    await queryRunner.query('DROP TRIGGER bookings_change_participants ON bookings');
    await queryRunner.query('DROP FUNCTION keep_booking_participants');
    await queryRunner.query('DROP TABLE booking_participants');
  }
}
