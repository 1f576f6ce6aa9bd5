import { type EventEnvelope, mentorApproved, type MentorFact } from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import { type EntityManager, IsNull } from 'typeorm';
import { User } from './user.entity.js';

@Controller()
export class UsersEvents {
  /** The role appears in the access tokens that are issued from then on. */
  @OnEvent(mentorApproved)
  async grantMentorRights(event: EventEnvelope<MentorFact>, tx: EntityManager): Promise<void> {
    // An approval of one who has erased the account meanwhile changes nothing.
    await tx.update(User, { id: event.data.user_id, erasedAt: IsNull() }, { isMentor: true });
  }
}
