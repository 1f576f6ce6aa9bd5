import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * No session on offer costs more than a payment may be, 20 000 000 RUB: at most 10 000 000 an hour are accepted, and the
 * lengths that every mentor has had until now end at 90 minutes.
 */
export class LimitSessionPrices1796000020005 implements MigrationInterface {
  readonly name = 'LimitSessionPrices1796000020005';

  async up(queryRunner: QueryRunner): Promise<void> {
    // 2 000 000 000 minor units; a length in minutes is at most 60 times that divided by the price of an hour.
    await queryRunner.query(`
      ALTER TABLE mentors ADD CONSTRAINT mentors_session_prices
        CHECK (120000000000 / greatest(price_per_hour_minor, 1) >= ALL (session_durations))`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('ALTER TABLE mentors DROP CONSTRAINT mentors_session_prices');
  }
}
