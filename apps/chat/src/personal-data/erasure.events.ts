import { type EventEnvelope, userErased } from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

@Controller()
export class ErasureEvents {
  /**
   * Drops what was sent to the devices of an erased user. Messages stay, which are the others' as well, without a name:
   * that is forgotten by `People`.
   */
  @OnEvent(userErased)
  async dropEventLogOfErasedUser(
    { data }: EventEnvelope<{ user_id: number }>,
    tx: EntityManager,
  ): Promise<void> {
    const user = [data.user_id];
    await tx.query('DELETE FROM log_inbox WHERE user_id = $1', user);
    // The log itself stays, as messages of the chats of the user are numbered by it.
    await tx.query(
      'UPDATE user_logs SET trimmed_to = last_offset WHERE user_id = $1 AND trimmed_to < last_offset',
      user,
    );
    await tx.query('DELETE FROM log_entries WHERE user_id = $1', user);
    await tx.query('DELETE FROM unpublished_reads WHERE user_id = $1', user);
  }
}
