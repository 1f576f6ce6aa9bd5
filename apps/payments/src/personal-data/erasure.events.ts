import { type EventEnvelope, userErased } from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Clock } from '@mentorhub/service-kit';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

@Controller()
export class ErasureEvents {
  constructor(private readonly clock: Clock) {}

  /** Money records stay, as the law asks; what an erased user wrote, the topics of sessions, does not. */
  @OnEvent(userErased)
  async forgetTextsOfErasedUser(
    { data }: EventEnvelope<{ user_id: number }>,
    tx: EntityManager,
  ): Promise<void> {
    await tx.query(
      'INSERT INTO erased_users (user_id, erased_at) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [data.user_id, this.clock.now()],
    );
    await tx.query(
      `UPDATE amounts_due SET description = '' WHERE user_id = $1 AND description <> ''`,
      [data.user_id],
    );
    await tx.query('DELETE FROM idempotency_keys WHERE user_id = $1', [data.user_id]);
  }
}
