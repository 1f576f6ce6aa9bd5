import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who missed a session: until now only mentors could report it, so it was the mentee. */
export class RecordAbsentParty1796000020002 implements MigrationInterface {
  readonly name = 'RecordAbsentParty1796000020002';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      ALTER TABLE bookings ADD COLUMN absent_party text
        CONSTRAINT bookings_absent_party CHECK (absent_party IN ('mentor', 'mentee'))`);
    await queryRunner.query(`UPDATE bookings SET absent_party = 'mentee' WHERE status = 'no_show'`);
    await queryRunner.query(`
      ALTER TABLE bookings ADD CONSTRAINT bookings_absent_party_of_no_show
        CHECK ((status = 'no_show') = (absent_party IS NOT NULL))`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE bookings DROP COLUMN absent_party');
  }
}
