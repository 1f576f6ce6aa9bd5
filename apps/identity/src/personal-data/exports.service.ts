import type { Caller, Device } from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { AuditTrail } from '../audit/audit-trail.js';
import { StepUp } from '../auth/step-up.js';
import { UserCounters, type UserLimit } from '../limits/user-counters.js';

const limit: UserLimit = { kind: 'export', most: 5, windowMs: 3_600_000, what: 'exports' };

@Injectable()
export class ExportsService {
  constructor(
    private readonly stepUp: StepUp,
    private readonly counters: UserCounters,
    private readonly audit: AuditTrail,
    private readonly clock: Clock,
  ) {}

  /**
   * Lets the actor have everything that the services hold about them: who holds a token alone does not get it.
   * @throws ApplicationError REAUTHENTICATION_REQUIRED, RATE_LIMITED
   */
  async begin(actor: Caller, device: Device): Promise<{ exported_at: string }> {
    await this.stepUp.require(actor);
    await this.counters.count(actor.user_id, limit);
    await this.audit.note({
      action: 'user.export',
      actorId: actor.user_id,
      sessionId: actor.session_id,
      device,
    });
    return { exported_at: this.clock.now().toISOString() };
  }
}
