import {
  type AccessDenials,
  Audit,
  type Caller,
  type Device,
  type EventEnvelope,
  type ListAuditEntries,
  mentorApproved,
  type MentorDecision,
  mentorRejected,
} from '@mentorhub/contracts';
import { Handle, OnEvent } from '@mentorhub/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import { AuditEntries } from './audit-entries.js';

@Controller()
export class AuditController {
  constructor(
    private readonly entries: AuditEntries,
    private readonly audit: AuditTrail,
  ) {}

  @Handle(Audit.list)
  list(actor: Caller, query: ListAuditEntries & { device: Device }) {
    return this.entries.list(actor, query);
  }

  /** One entry for a user and a minute of a gateway, however many requests it refused. */
  @Handle(Audit.noteDenials)
  async noteDenials(_: Caller | undefined, request: { denials: AccessDenials[] }): Promise<void> {
    for (const { user_id, session_id, device, route, count, since } of request.denials) {
      await this.audit.note({
        action: 'access.denied',
        outcome: 'failure',
        actorId: user_id,
        sessionId: session_id,
        device,
        detail: { route, count, since },
      });
    }
  }

  @OnEvent([mentorApproved, mentorRejected])
  async recordMentorDecision(
    { type, occurred_at, data }: EventEnvelope<MentorDecision>,
    tx: EntityManager,
  ): Promise<void> {
    await this.audit.record(tx, {
      action: type === mentorApproved.type ? 'mentor.approve' : 'mentor.reject',
      at: new Date(occurred_at),
      actorId: data.decided_by ?? null,
      userId: data.user_id,
      detail: { mentor_id: data.mentor_id },
    });
  }
}
