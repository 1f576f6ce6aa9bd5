import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Users whom an operator wants erased: those who were erased before, and are back with a restored backup. */
export class RequestedErasures1796000000055 implements MigrationInterface {
  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`
      CREATE TABLE requested_erasures (
        user_id integer CONSTRAINT requested_erasures_pkey PRIMARY KEY
      )`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE requested_erasures');
  }
}
