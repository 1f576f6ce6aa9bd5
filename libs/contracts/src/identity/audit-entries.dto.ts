import { ApiProperty } from '@nestjs/swagger';
import { Choice, Id, Instant, LongId, QueryInteger, Text } from '../core/fields.js';
import { PageOf, PageQuery } from '../core/page.dto.js';
import { type AuditAction, auditActions } from './audit.dto.js';

const outcomes = ['success', 'failure'] as const;
export type AuditOutcome = (typeof outcomes)[number];

/** Asks for entries of the audit trail, newest first. */
export class ListAuditEntries extends PageQuery {
  @QueryInteger({ min: 1, optional: true, description: 'Who did it.' })
  actor_id?: number;

  @QueryInteger({ min: 1, optional: true, description: 'Whom it concerns.' })
  user_id?: number;

  @Choice(auditActions, { optional: true })
  action?: AuditAction;

  @Choice(outcomes, { optional: true })
  outcome?: AuditOutcome;

  @Instant({ optional: true, description: 'From this instant on.' })
  from?: string;

  @Instant({ optional: true, description: 'Before this instant.' })
  to?: string;
}

/** A security-relevant act. */
export class AuditEntry {
  @LongId()
  id: number;

  @Instant()
  occurred_at: string;

  @Choice(auditActions, { example: 'session.open' })
  action: AuditAction;

  @Choice(outcomes, { example: 'success' })
  outcome: AuditOutcome;

  @Id({
    nullable: true,
    description: 'Who did it; null for one who has not signed in, or the system.',
  })
  actor_id: number | null;

  @Id({ nullable: true, description: 'Whom it concerns.' })
  user_id: number | null;

  @Id({ nullable: true, description: 'The signed-in device.' })
  session_id: number | null;

  @Text({ max: 45, nullable: true, example: '203.0.113.7' })
  ip: string | null;

  @Text({ max: 512, nullable: true, description: 'As the client sent it: show it as text alone.' })
  user_agent: string | null;

  @Text({ max: 128, nullable: true })
  request_id: string | null;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: 'Ids, counts and names of fields, by the action.',
  })
  detail: Record<string, unknown>;
}

export class AuditPage extends PageOf(AuditEntry) {}
