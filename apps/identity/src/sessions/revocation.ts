import { type RevokedSession, sessionRevoked, sessionRevokedSignal } from '@mentorhub/contracts';
import { Outbox, Signals } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { SignInChallenges } from '../second-factor/sign-in-challenges.js';
import {
  type EndedSession,
  type SessionChoice,
  SessionsRepository,
} from './sessions.repository.js';

/** Ends sessions, in the database and, within moments, on every gateway. */
@Injectable()
export class Revocation {
  constructor(
    private readonly sessions: SessionsRepository,
    private readonly challenges: SignInChallenges,
    private readonly transactions: Transactions,
    private readonly outbox: Outbox,
    private readonly signals: Signals,
    private readonly clock: Clock,
  ) {}

  /**
   * Ends the chosen sessions; resolves to how many there were left to end.
   * @param alongside done in the same transaction, when there were any
   */
  async end(
    choice: SessionChoice,
    alongside?: (tx: EntityManager) => Promise<void>,
  ): Promise<number> {
    const ended = await this.transactions.run(async (tx) => {
      const sessions = await this.endIn(tx, choice);
      if (sessions.length > 0) await alongside?.(tx);
      return sessions;
    });
    this.announce(ended);
    return ended.length;
  }

  /** Ends sessions as a part of a larger transaction; `announce` what it resolves to once that has committed. */
  async endIn(tx: EntityManager, choice: SessionChoice): Promise<EndedSession[]> {
    const ended = await this.sessions.end(tx, choice, this.clock.now());
    // A sign-in that waits for its second step was begun with a proof that may not count any more.
    await this.challenges.removeOf(tx, usersOf(choice));
    await this.outbox.addMany(
      tx,
      ended.map((session) => ({
        event: sessionRevoked,
        aggregateId: session.id,
        data: { ...toRevoked(session), user_id: session.userId },
      })),
    );
    return ended;
  }

  /** Signals the gateways at once; one that misses it finds the session in the list it fetches every minute. */
  announce(ended: readonly EndedSession[]): void {
    for (const session of ended) this.signals.publish(sessionRevokedSignal, toRevoked(session));
  }
}

/** The users all of whose sessions end, or all but one. */
function usersOf(choice: SessionChoice): readonly number[] {
  if ('userIds' in choice) return choice.userIds;
  return 'except' in choice ? [choice.userId] : [];
}

export function toRevoked(session: Pick<EndedSession, 'id' | 'accessExpiresAt'>): RevokedSession {
  return {
    session_id: session.id,
    forget_at: Math.ceil(session.accessExpiresAt.getTime() / 1000),
  };
}
