import { ApplicationError, type Caller } from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { FactorChecks } from '../second-factor/factor-checks.js';

/** How long a proof counts for sensitive acts. */
const freshMs = 10 * 60_000;

/** Asks users to prove again who they are before acts that would hand an account over (ASVS 7.5.1). */
@Injectable()
export class StepUp {
  constructor(
    private readonly dataSource: DataSource,
    private readonly factors: FactorChecks,
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
   * The same of a session; of that user, where one is named.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED
   */
  async requireOf(sessionId: number, userId?: number): Promise<void> {
    const since = new Date(this.clock.now().getTime() - freshMs);
    const rows = await this.dataSource.query<unknown[]>(
      `SELECT 1 FROM sessions
       WHERE id = $1 AND ($2::int IS NULL OR user_id = $2) AND revoked_at IS NULL AND authenticated_at > $3`,
      [sessionId, userId ?? null, since],
    );
    if (rows.length > 0) return;
    throw new ApplicationError(
      'REAUTHENTICATION_REQUIRED',
      'Prove again that it is you: send POST /api/v1/auth/reauthenticate, then repeat this request within ten minutes.',
    );
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
}
