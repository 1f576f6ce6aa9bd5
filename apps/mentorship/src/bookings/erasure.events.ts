import { type EventEnvelope, userErased } from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Clock } from '@mentorhub/service-kit';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

@Controller()
export class ErasureEvents {
  constructor(private readonly clock: Clock) {}

  /**
   * Withdraws the profile of an erased mentor and forgets what it said. Bookings follow at the next sweep, some at a time:
   * a mentor may have hundreds. Reviews stay, without a name: that is forgotten by `People`.
   */
  @OnEvent(userErased)
  async withdrawErasedUser(
    { data }: EventEnvelope<{ user_id: number }>,
    tx: EntityManager,
  ): Promise<void> {
    const now = this.clock.now();
    await tx.query(
      'INSERT INTO erased_users (user_id, erased_at) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [data.user_id, now],
    );
    await tx.query(
      `UPDATE mentors SET status = 'rejected', erased_at = $2, title = '', description = '', skills = '{}',
         skill_keys = '{}', search_text = '', timezone = 'UTC', company = NULL, job_title = NULL,
         years_of_experience = NULL, linkedin_url = NULL, github_url = NULL, twitter_url = NULL,
         decision_reason = NULL, version = version + 1
       WHERE user_id = $1`,
      [data.user_id, now],
    );
    await tx.query(
      'DELETE FROM availability_rules WHERE mentor_id = (SELECT id FROM mentors WHERE user_id = $1)',
      [data.user_id],
    );
    await tx.query('DELETE FROM idempotency_keys WHERE user_id = $1', [data.user_id]);
  }
}
