import {
  type EventEnvelope,
  type MemberJoined,
  mentorApproved,
  mentorCurrency,
  userMemberJoined,
} from '@mentorhub/contracts';
import { OnEvent, Outbox } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Mentor, searchColumns } from './mentor.entity.js';
import { decided } from './mentor.state-machine.js';

/** What a profile says until its mentor changes it. */
const blankProfile = { title: 'Mentor', description: '', skills: [] };

/** What the members directory means for mentors. */
@Controller()
export class MembersEvents {
  constructor(private readonly outbox: Outbox) {}

  /**
   * A mentor of the directory needs no moderation: there is an approved profile at once, and an application that waits is
   * approved. What a moderator has decided stays.
   */
  @OnEvent(userMemberJoined)
  async approveMentorOfDirectory(
    { data, occurred_at }: EventEnvelope<MemberJoined>,
    tx: EntityManager,
  ): Promise<void> {
    if (!data.is_mentor) return;
    const { user_id: userId, timezone } = data;
    const at = new Date(occurred_at);
    const id =
      (await this.open(tx, { userId, timezone, at })) ?? (await this.approve(tx, userId, at));
    if (id === undefined) return;
    await this.outbox.add(tx, mentorApproved, id, { mentor_id: id, user_id: userId });
  }

  /** The new profile's id; undefined when the user has one. */
  private async open(
    tx: EntityManager,
    { userId, timezone, at }: { userId: number; timezone: string; at: Date },
  ): Promise<number | undefined> {
    const { raw } = await tx
      .createQueryBuilder()
      .insert()
      .into(Mentor)
      .values({
        userId,
        ...blankProfile,
        ...searchColumns(blankProfile),
        pricePerHourMinor: 0,
        currency: mentorCurrency,
        timezone,
        status: 'approved',
        appliedAt: at,
        decidedAt: at,
      })
      .orIgnore()
      .returning('id')
      .execute();
    return (raw as { id: number }[])[0]?.id;
  }

  /** The id of the application that was approved; undefined when it was decided already. */
  private async approve(tx: EntityManager, userId: number, at: Date): Promise<number | undefined> {
    const mentor = await tx.findOneOrFail(Mentor, {
      where: { userId },
      lock: { mode: 'for_no_key_update' },
    });
    if (mentor.status !== 'pending') return undefined;
    await tx.update(Mentor, mentor.id, {
      status: decided(mentor.status, 'approve'),
      decidedAt: at,
      version: mentor.version + 1,
    });
    return mentor.id;
  }
}
