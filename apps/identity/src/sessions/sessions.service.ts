import {
  type ById,
  type Caller,
  ApplicationError,
  type Device,
  type RevokedSession,
  type SessionDevices,
} from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { AuditTrail } from '../audit/audit-trail.js';
import { Revocation, toRevoked } from './revocation.js';
import { SessionsRepository } from './sessions.repository.js';

@Injectable()
export class SessionsService {
  constructor(
    private readonly sessions: SessionsRepository,
    private readonly revocation: Revocation,
    private readonly audit: AuditTrail,
    private readonly clock: Clock,
  ) {}

  /** The actor's signed-in devices. */
  async list(actor: Caller): Promise<SessionDevices> {
    const sessions = await this.sessions.alive(actor.user_id, this.clock.now());
    return {
      items: sessions.map((session) => ({
        id: session.id,
        user_agent: session.userAgent,
        ip: session.ip,
        created_at: session.createdAt.toISOString(),
        last_used_at: session.lastUsedAt.toISOString(),
        current: session.id === actor.session_id,
      })),
    };
  }

  /**
   * Signs one of the actor's devices out.
   * @throws ApplicationError NOT_FOUND for what is not the actor's, or not signed in
   */
  async revoke(actor: Caller, { id, device }: ById & { device: Device }): Promise<void> {
    const ended = await this.revocation.end({ id, userId: actor.user_id }, (tx) =>
      this.audit.record(tx, {
        action: 'session.end',
        actorId: actor.user_id,
        sessionId: actor.session_id,
        device,
        detail: { ended_session_id: id },
      }),
    );
    if (ended === 0) throw ApplicationError.notFound('The signed-in device');
  }

  /** Everything a gateway must refuse although the tokens have not expired. */
  async revoked(): Promise<{ sessions: RevokedSession[] }> {
    return { sessions: (await this.sessions.endedEarly(this.clock.now())).map(toRevoked) };
  }
}
