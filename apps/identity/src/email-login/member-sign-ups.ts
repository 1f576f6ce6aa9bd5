import { type Device, userMemberJoined } from '@mentorhub/contracts';
import { Outbox, requestContext } from '@mentorhub/messaging';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import { type Member, MembersRepository } from '../members/members.repository.js';
import { membershipRoles } from '../members/membership-roles.js';
import type { User } from '../users/user.entity.js';
import { UsersService } from '../users/users.service.js';

/** What the members directory means for those who sign in with a mailbox. */
@Injectable()
export class MemberSignUps {
  constructor(
    private readonly members: MembersRepository,
    private readonly users: UsersService,
    private readonly audit: AuditTrail,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /**
   * Opens the account of a member who has none.
   * @throws ApplicationError EMAIL_TAKEN when there is one by now
   */
  async open(tx: EntityManager, member: Member, device: Device): Promise<User> {
    const { isMentor, isMentee } = membershipRoles(member.membershiptype);
    const now = this.clock.now();
    const user = await this.users.add(tx, {
      email: member.email,
      fullName: `${member.firstName} ${member.lastName}`.trim() || 'MentorHub member',
      passwordHash: null,
      requestedRole: isMentee ? 'student' : 'mentor',
      // By the directory; the profile follows within moments.
      isMentor,
      timezone: 'UTC',
      locale: requestContext.current()?.locale ?? 'en',
      emailVerifiedAt: now,
      createdAt: now,
    });
    await this.audit.record(tx, {
      action: 'member.sign_up',
      actorId: user.id,
      device,
      detail: { is_mentor: isMentor, is_mentee: isMentee },
    });
    return user;
  }

  /** Publishes that a member has signed in, once, and once more after another `membershiptype`. */
  async note(tx: EntityManager, user: User): Promise<void> {
    if (!(await this.members.markJoined(tx, user.email, this.clock.now()))) return;
    const member = await this.members.byEmail(tx, user.email);
    if (!member) return;
    const { isMentor, isMentee } = membershipRoles(member.membershiptype);
    await this.outbox.add(tx, userMemberJoined, user.id, {
      user_id: user.id,
      is_mentor: isMentor,
      is_mentee: isMentee,
      timezone: user.timezone,
    });
  }
}
