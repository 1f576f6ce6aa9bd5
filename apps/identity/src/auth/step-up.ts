import { ApplicationError, type AuditAction, type Caller, type Device } from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import { FactorChecks } from '../second-factor/factor-checks.js';

/** How long a proof counts for sensitive acts. */
const freshMs = 10 * 60_000;

/** By the session, its user or null for anybody, and since when a proof is fresh. */
const freshSession = `SELECT 1 FROM sessions
  WHERE id = $1 AND ($2::int IS NULL OR user_id = $2) AND revoked_at IS NULL AND authenticated_at > $3`;

/** Asks users to prove again who they are before acts that would hand an account over (ASVS 7.5.1). */
@Injectable()
export class StepUp {
  constructor(
    private readonly dataSource: DataSource,
    private readonly factors: FactorChecks,
    private readonly audit: AuditTrail,
    private readonly clock: Clock,
  ) {}

  /**
   * Passes when the user of the actor's session proved who they are within the last ten minutes.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED
   */
  require(actor: Caller): Promise<void> {
    return this.requireOf(actor.session_id, actor.user_id);
  }

  /**
   * As `require`, and records that the act was refused.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED
   */
  async requireFor(actor: Caller, action: AuditAction, device?: Device): Promise<void> {
    try {
      await this.require(actor);
    } catch (error) {
      const { user_id: actorId, session_id: sessionId } = actor;
      await this.audit.noteRefusal(error, { action, actorId, sessionId, device });
      throw error;
    }
  }

  /**
   * The same of a session; of that user, where one is named.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED
   */
  async requireOf(sessionId: number, userId?: number): Promise<void> {
    const rows = await this.dataSource.query<unknown[]>(freshSession, [
      sessionId,
      userId ?? null,
      this.since,
    ]);
    if (rows.length === 0) throw proofRequired();
  }

  /**
   * The same in the transaction of the act, once that has locked the user: whoever took the account back meanwhile has
   * ended the session. It does not end any more until the transaction is over.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED
   */
  async requireIn(tx: EntityManager, actor: Pick<Caller, 'user_id' | 'session_id'>): Promise<void> {
    const rows = await tx.query<unknown[]>(`${freshSession} FOR SHARE`, [
      actor.session_id,
      actor.user_id,
      this.since,
    ]);
    if (rows.length === 0) throw proofRequired();
  }

  /**
   * For acts that were begun with a fresh proof: passes unless the actor's session has ended since, and keeps it from
   * ending until the transaction is over. Lock the user first.
   * @throws ApplicationError UNAUTHENTICATED
   */
  async requireSessionIn(tx: EntityManager, actor: Caller): Promise<void> {
    const rows = await tx.query<unknown[]>(
      `SELECT 1 FROM sessions
       WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3 FOR SHARE`,
      [actor.session_id, actor.user_id, this.clock.now()],
    );
    if (rows.length > 0) return;
    throw new ApplicationError('UNAUTHENTICATED', 'This device was signed out: sign in again.');
  }

  /** Notes that the user of a session has just shown the password, which is proof enough where there is no second factor. */
  async renewByPassword(tx: EntityManager, sessionId: number, userId: number): Promise<void> {
    if ((await this.factors.methods(tx, userId)).length === 0) await this.renew(tx, sessionId);
  }

  /** Notes that the user of a session has just proved who they are. */
  async renew(tx: EntityManager, sessionId: number): Promise<void> {
    await tx.query('UPDATE sessions SET authenticated_at = $2 WHERE id = $1', [
      sessionId,
      this.clock.now(),
    ]);
  }

  /**
   * Makes the proofs of the user's other sessions old, once the account has its first second factor: they were made
   * without it.
   */
  async expireElsewhere(
    tx: EntityManager,
    { user_id: userId, session_id: sessionId }: Caller,
  ): Promise<void> {
    await tx.query(
      `UPDATE sessions SET authenticated_at = NULL
       WHERE user_id = $1 AND id <> $2 AND authenticated_at IS NOT NULL AND revoked_at IS NULL`,
      [userId, sessionId],
    );
  }

  private get since(): Date {
    return new Date(this.clock.now().getTime() - freshMs);
  }
}

function proofRequired(): ApplicationError {
  return new ApplicationError(
    'REAUTHENTICATION_REQUIRED',
    'Prove again that it is you: send POST /api/v1/auth/reauthenticate, then repeat this request within ten minutes.',
  );
}
