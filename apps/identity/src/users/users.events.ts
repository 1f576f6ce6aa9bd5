import { type EventEnvelope, mentorApproved, type MentorFact } from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { User } from './user.entity.js';

@Controller()
export class UsersEvents {
  /** The role appears in the access tokens that are issued from then on. */
  @OnEvent(mentorApproved)
  async grantMentorRights(event: EventEnvelope<MentorFact>, tx: EntityManager): Promise<void> {
    await tx.update(User, { id: event.data.user_id }, { isMentor: true });
  }
}
