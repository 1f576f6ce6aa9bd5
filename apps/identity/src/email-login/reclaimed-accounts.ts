import { type Device, userEmailVerified } from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { MailTokens } from '../account-mails/mail-tokens.js';
import { AuditTrail } from '../audit/audit-trail.js';
import { PendingEmailChanges } from '../email-changes/pending-email-changes.js';
import { removeWaysInSince } from '../email-changes/recent-ways-in.js';
import { Revocation } from '../sessions/revocation.js';
import type { EndedSession } from '../sessions/sessions.repository.js';
import { User } from '../users/user.entity.js';

/** Accounts whose address somebody registered without proving it, and whose mailbox is proven now. */
@Injectable()
export class ReclaimedAccounts {
  constructor(
    private readonly mailTokens: MailTokens,
    private readonly emailChanges: PendingEmailChanges,
    private readonly revocation: Revocation,
    private readonly audit: AuditTrail,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /**
   * Gives an account to the reader of its mailbox: whoever registered the address may be somebody else, so the password
   * and every other way in end, and everybody is signed out. Announce what it resolves to once that has committed.
   */
  async reclaim(tx: EntityManager, user: User, device: Device): Promise<EndedSession[]> {
    const now = this.clock.now();
    await tx.update(User, { id: user.id }, { passwordHash: null, emailVerifiedAt: now });
    user.emailVerifiedAt = now;
    await removeWaysInSince(tx, user.id, user.createdAt);
    await this.emailChanges.void(tx, user.id);
    await this.mailTokens.void(tx, user.id);
    const ended = await this.revocation.endIn(tx, { userIds: [user.id] });
    await this.outbox.add(tx, userEmailVerified, user.id, { user_id: user.id });
    await this.audit.record(tx, {
      action: 'email_login.reclaim',
      actorId: user.id,
      device,
      detail: { sessions_ended: ended.length },
    });
    return ended;
  }
}
