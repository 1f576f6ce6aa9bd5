import {
  ApplicationError,
  type AuditAction,
  type Device,
  type ErrorCode,
} from '@mentorhub/contracts';
import { requestContext } from '@mentorhub/messaging';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'UNAUTHENTICATED',
  'INVALID_CREDENTIALS',
  'INVALID_TOKEN',
  'EMAIL_NOT_VERIFIED',
  'REAUTHENTICATION_REQUIRED',
  'FORBIDDEN',
  'EMAIL_TAKEN',
  'CONFLICT',
]);

/** What somebody did, or tried to do. */
export interface AuditAct {
  action: AuditAction;
  /** Default `success`. */
  outcome?: 'success' | 'failure';
  /** Who did it; null for one who has not signed in. */
  actorId: number | null;
  /** Whom it concerns, where that is not the actor. */
  userId?: number | null;
  sessionId?: number;
  /** When it was done; now by default. */
  at?: Date;
  /** Where it came from; missing for what the system does by itself. */
  device?: Device;
  /** Ids, counts, names of fields; never addresses, names of people, secrets. */
  detail?: Record<string, string | number | boolean | null>;
}

/**
 * The record of security-relevant acts: who, when, what, from where, with which outcome. The database refuses to change
 * it. Texts of clients are stored as they came, as values, so nothing in them can pass for an entry of its own.
 */
@Injectable()
export class AuditTrail {
  constructor(
    private readonly dataSource: DataSource,
    private readonly clock: Clock,
  ) {}

  /** Records an act in the transaction that does it. */
  async record(tx: EntityManager, act: AuditAct): Promise<void> {
    await tx.query(
      `INSERT INTO audit_log
         (occurred_at, action, outcome, actor_id, user_id, session_id, ip, user_agent, request_id, detail)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [
        act.at ?? this.clock.now(),
        act.action,
        act.outcome ?? 'success',
        act.actorId,
        act.userId === undefined ? act.actorId : act.userId,
        act.sessionId ?? null,
        act.device?.ip.slice(0, 45) ?? null,
        act.device?.user_agent.slice(0, 512) ?? null,
        requestContext.current()?.requestId ?? null,
        act.detail ?? {},
      ],
    );
  }

  /**
   * Records that somebody was refused. What was malformed, or too much at once, is no refusal.
   * @param error what the act failed with
   */
  async noteRefusal(error: unknown, act: AuditAct): Promise<void> {
    if (!(error instanceof ApplicationError) || !refusals.has(error.code)) return;
    const detail = { ...act.detail, code: error.code };
    await this.note({ ...act, outcome: 'failure', detail });
  }

  /** Records what no transaction belongs to, such as a refusal. */
  note(act: AuditAct): Promise<void> {
    return this.record(this.dataSource.manager, act);
  }
}
