import {
  type Caller,
  ApplicationError,
  type Device,
  type Login,
  type SignedIn,
  type TokenPair,
  userRefreshTokenReused,
} from '@mentorhub/contracts';
import { Outbox } from '@mentorhub/messaging';
import { Transactions } from '@mentorhub/persistence';
import { Clock } from '@mentorhub/service-kit';
import { Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import { networkOf } from '../devices/network.js';
import { readUserAgent } from '../devices/user-agent.js';
import { AccessTokenSigner } from '../keys/access-token-signer.js';
import { Passwords } from '../passwords/passwords.js';
import { Revocation } from '../sessions/revocation.js';
import { type EndedSession, SessionsRepository } from '../sessions/sessions.repository.js';
import { User } from '../users/user.entity.js';
import { UsersRepository } from '../users/users.repository.js';
import { Credentials, wrongCredentials } from './credentials.js';
import { RefreshTokens, type Successor } from './refresh-tokens.js';
import {
  callerOf,
  type Grant,
  type OpenedSession,
  type PendingSession,
  SignIns,
} from './sign-ins.js';

@Injectable()
export class AuthService {
  private readonly logger = new Logger(AuthService.name);

  constructor(
    private readonly users: UsersRepository,
    private readonly passwords: Passwords,
    private readonly credentials: Credentials,
    private readonly sessions: SessionsRepository,
    private readonly refreshTokens: RefreshTokens,
    private readonly signIns: SignIns,
    private readonly revocation: Revocation,
    private readonly signer: AccessTokenSigner,
    private readonly audit: AuditTrail,
    private readonly outbox: Outbox,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  /**
   * Signs a device in.
   * @throws ApplicationError INVALID_CREDENTIALS, RATE_LIMITED, OVERLOADED, FORBIDDEN for a deactivated account
   */
  async login({ email, password, device }: Login & { device: Device }): Promise<SignedIn> {
    const user = await this.credentials.check(email, password, device);
    const hash = await this.renewHash(user, password);
    const method = 'password';
    let opened: OpenedSession | PendingSession;
    try {
      opened = await this.transactions.run(async (tx) => {
        // Whoever changed the password since it was checked has ended the sessions that there were.
        if (!(await this.users.hasHash(tx, user.id, hash))) throw wrongCredentials();
        return this.signIns.open(tx, user, { method, device });
      });
    } catch (error) {
      const act = { action: 'session.open', actorId: null, userId: user.id, device } as const;
      await this.audit.noteRefusal(error, { ...act, detail: { method } });
      throw error;
    }
    return this.signIns.answer(opened);
  }

  /**
   * Exchanges a refresh token for a new pair, and for the same pair again within ten seconds of its use. A token that
   * turns up later was stolen from one side or the other: its session ends (RFC 9700 §4.14.2).
   * @throws ApplicationError INVALID_REFRESH_TOKEN
   */
  async refresh(request: { refresh_token: string; device: Device }): Promise<TokenPair> {
    const { refresh_token: token, device } = request;
    const { grant, ended } = await this.transactions.run(async (tx) => {
      const redemption = await this.refreshTokens.redeem(tx, token, this.clock.now());
      switch (redemption.outcome) {
        case 'redeemed':
          return { grant: await this.renew(tx, redemption.sessionId, token, device), ended: [] };
        case 'repeated':
          return { grant: await this.repeat(tx, redemption), ended: [] };
        case 'reused':
          // No error here, which would undo the end of the session.
          return { ended: await this.endReused(tx, redemption.sessionId, device) };
        case 'unknown':
          break;
      }
      return { ended: [] };
    });
    if (ended.length > 0) {
      this.revocation.announce(ended);
      this.logger.warn(`A refresh token was used again: session ${ended[0]?.id} has been ended.`);
    }
    if (!grant) {
      throw new ApplicationError(
        'INVALID_REFRESH_TOKEN',
        'The refresh token is unknown, expired or used up: sign in again.',
      );
    }
    return this.signIns.tokens(grant);
  }

  /** Signs the actor's device out. */
  async logout(actor: Caller, device: Device): Promise<void> {
    const { user_id: userId, session_id: sessionId } = actor;
    await this.revocation.end({ id: sessionId, userId }, (tx) =>
      this.audit.record(tx, { action: 'session.end', actorId: userId, sessionId, device }),
    );
  }

  /** Signs all of the actor's devices out. */
  async logoutAll(actor: Caller, device: Device): Promise<void> {
    const { user_id: userId, session_id: sessionId } = actor;
    await this.revocation.end({ userIds: [userId] }, (tx) =>
      this.audit.record(tx, { action: 'session.end_all', actorId: userId, sessionId, device }),
    );
  }

  private async endReused(
    tx: EntityManager,
    sessionId: number,
    device: Device,
  ): Promise<EndedSession[]> {
    const { expiresAt, userAgent, ip } = await this.sessions.byId(tx, sessionId);
    // Nothing is left to steal.
    if (expiresAt <= this.clock.now()) return [];
    const ended = await this.revocation.endIn(tx, { id: sessionId });
    for (const { userId } of ended) {
      await this.audit.record(tx, {
        action: 'session.refresh_reuse',
        outcome: 'failure',
        actorId: null,
        userId,
        sessionId,
        device,
      });
      const { browser, os } = readUserAgent(userAgent);
      await this.outbox.add(tx, userRefreshTokenReused, userId, {
        user_id: userId,
        session_id: sessionId,
        browser,
        os,
        network: networkOf(ip),
      });
    }
    return ended;
  }

  /** Nothing, when the session has ended or its user may not sign in any more. */
  private async renew(
    tx: EntityManager,
    sessionId: number,
    token: string,
    device: Device,
  ): Promise<Grant | undefined> {
    const issuedAt = this.clock.now();
    const session = await this.sessions.touch(tx, sessionId, {
      now: issuedAt,
      accessExpiresAt: this.signer.expiry(issuedAt),
      lifetime: this.signIns.lifetime,
      device,
    });
    const user = session && (await tx.findOneBy(User, { id: session.userId, isActive: true }));
    if (!user) return undefined;
    const refreshToken = await this.refreshTokens.issue(tx, sessionId, issuedAt, token);
    return { caller: callerOf(user, sessionId), refreshToken, issuedAt };
  }

  /** What `renew` granted a moment ago: the same times make the same access token. */
  private async repeat(
    tx: EntityManager,
    { sessionId, successor }: { sessionId: number; successor: Successor },
  ): Promise<Grant | undefined> {
    const session = await this.sessions.active(tx, sessionId, this.clock.now());
    const user = session && (await tx.findOneBy(User, { id: session.userId, isActive: true }));
    if (!user) return undefined;
    const { token: refreshToken, issuedAt } = successor;
    return { caller: callerOf(user, sessionId), refreshToken, issuedAt };
  }

  /** Resolves to the hash that is stored from now on. */
  private async renewHash(user: User, password: string): Promise<string | null> {
    const { id, passwordHash } = user;
    if (passwordHash === null) return null;
    const renewed = await this.passwords.rehash(password, passwordHash);
    if (renewed === undefined) return passwordHash;
    const replaced = await this.transactions.run((tx) =>
      this.users.replaceHash(tx, id, passwordHash, renewed),
    );
    if (replaced) return renewed;
    // Another sign-in has renewed it as well, or somebody has changed the password.
    const { passwordHash: current } = await this.users.withPasswordHash(id);
    return (await this.passwords.matches(password, current)) ? current : passwordHash;
  }
}
