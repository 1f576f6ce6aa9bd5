import {
  type EventEnvelope,
  mentorApproved,
  type MentorFact,
  mentorRejected,
  type ReviewCreated,
  reviewCreated,
} from '@mentorhub/contracts';
import { OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Notify } from '../notifications/notify.service.js';

/** What mentors are notified of as mentors. */
@Controller()
export class MentorRules {
  constructor(private readonly notify: Notify) {}

  @OnEvent(mentorApproved, { key: 'MentorRules.tellApprovedMentor' })
  async notifyApprovedMentor(
    { data }: EventEnvelope<MentorFact>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, {
      userId: data.user_id,
      type: 'mentor_approved',
      params: {},
      data: { mentor_id: data.mentor_id },
    });
  }

  @OnEvent(mentorRejected, { key: 'MentorRules.tellRejectedMentorWhy' })
  async notifyRejectedMentor(
    { data }: EventEnvelope<MentorFact & { reason: string }>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, {
      userId: data.user_id,
      type: 'mentor_rejected',
      params: { reason: data.reason },
      data: { mentor_id: data.mentor_id },
    });
  }

  @OnEvent(reviewCreated)
  async notifyMentorOfReview(
    { data }: EventEnvelope<ReviewCreated>,
    tx: EntityManager,
  ): Promise<void> {
    await this.notify.send(tx, {
      userId: data.mentor_user_id,
      type: 'review_received',
      params: { author_name: data.author_name, rating: data.rating },
      data: { review_id: data.review_id, session_id: data.booking_id },
      namedUserId: data.author_user_id,
    });
  }
}
