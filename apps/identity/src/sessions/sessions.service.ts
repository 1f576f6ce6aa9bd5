import {
  type ById,
  type Caller,
  ApplicationError,
  type Device,
  type PageRequest,
  type RevokedSession,
  type SessionDevicePage,
  toPage,
} from '@mentorhub/contracts';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import { AuditTrail } from '../audit/audit-trail.js';
import { readUserAgent } from '../devices/user-agent.js';
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

  /** The actor's signed-in devices, the last used first. */
  async list(actor: Caller, query: PageRequest): Promise<SessionDevicePage> {
    const [sessions, total] = await this.sessions.alive(actor.user_id, this.clock.now(), query);
    const items = sessions.map((session) => ({
      id: session.id,
      user_agent: session.userAgent,
      ...readUserAgent(session.userAgent),
      ip: session.ip,
      created_at: session.createdAt.toISOString(),
      last_used_at: session.lastUsedAt.toISOString(),
      current: session.id === actor.session_id,
    }));
    return toPage(items, total, query);
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

  /** Signs all of the actor's devices out but the one that asks. */
  async revokeOthers(actor: Caller, device: Device): Promise<void> {
    const { user_id: userId, session_id: sessionId } = actor;
    await this.revocation.end({ userId, except: sessionId }, (tx) =>
      this.audit.record(tx, { action: 'session.end_others', actorId: userId, sessionId, device }),
    );
  }

  /** Everything a gateway must refuse although the tokens have not expired. */
  async revoked(): Promise<{ sessions: RevokedSession[] }> {
    return { sessions: (await this.sessions.endedEarly(this.clock.now())).map(toRevoked) };
  }
}
