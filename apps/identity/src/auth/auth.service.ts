import {
  type Caller,
  ApplicationError,
  type Device,
  type Login,
  type SignedIn,
  type TokenPair,
} from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { IdentityConfig } from '../config.js';
import { AccessTokenSigner } from '../keys/access-token-signer.js';
import { Passwords } from '../passwords/passwords.js';
import { Revocation } from '../sessions/revocation.js';
import { SessionsRepository } from '../sessions/sessions.repository.js';
import { User } from '../users/user.entity.js';
import { UsersRepository } from '../users/users.repository.js';
import { rolesOf, toUserView } from '../users/user.views.js';
import { Credentials } from './credentials.js';
import { RefreshTokens, type Successor } from './refresh-tokens.js';

const dayMs = 86_400_000;

/** What a transaction hands out to be signed once it has committed. */
interface Grant {
  caller: Caller;
  refreshToken: string;
  issuedAt: Date;
}

@Injectable()
export class AuthService {
  private readonly logger = new Logger(AuthService.name);

  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly users: UsersRepository,
    private readonly passwords: Passwords,
    private readonly credentials: Credentials,
    private readonly sessions: SessionsRepository,
    private readonly refreshTokens: RefreshTokens,
    private readonly revocation: Revocation,
    private readonly signer: AccessTokenSigner,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  /**
   * Signs a device in.
   * @throws ApplicationError INVALID_CREDENTIALS, RATE_LIMITED, OVERLOADED, FORBIDDEN for a deactivated account
   */
  async login({ email, password, device }: Login & { device: Device }): Promise<SignedIn> {
    const user = await this.credentials.check(email, password, device.ip);
    if (!user.isActive) {
      throw new ApplicationError('FORBIDDEN', 'This account is deactivated: write to the support.');
    }
    await this.renewHash(user, password);
    const grant = await this.transactions.run((tx) => this.open(tx, user, device));
    return { ...(await this.toTokenPair(grant)), user: toUserView(user) };
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
          return { ended: await this.revocation.endIn(tx, { id: redemption.sessionId }) };
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
    return this.toTokenPair(grant);
  }

  /** Signs the actor's device out. */
  async logout(actor: Caller): Promise<void> {
    await this.revocation.end({ id: actor.session_id, userId: actor.user_id });
  }

  /** Signs all of the actor's devices out. */
  async logoutAll(actor: Caller): Promise<void> {
    await this.revocation.end({ userIds: [actor.user_id] });
  }

  private async open(tx: EntityManager, user: User, device: Device): Promise<Grant> {
    const issuedAt = this.clock.now();
    const expiresAt = new Date(issuedAt.getTime() + this.config.REFRESH_TOKEN_TTL_DAYS * dayMs);
    const session = await this.sessions.insert(
      tx,
      {
        userId: user.id,
        createdAt: issuedAt,
        expiresAt,
        accessExpiresAt: this.signer.expiry(issuedAt),
      },
      device,
    );
    const refreshToken = await this.refreshTokens.issue(tx, session.id, issuedAt);
    return { caller: callerOf(user, session.id), refreshToken, issuedAt };
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

  private async toTokenPair({ caller, refreshToken, issuedAt }: Grant) {
    const now = Math.floor(this.clock.now().getTime() / 1000);
    return {
      access_token: await this.signer.sign(caller, issuedAt),
      refresh_token: refreshToken,
      token_type: 'bearer' as const,
      expires_in: this.signer.expiry(issuedAt).getTime() / 1000 - now,
    };
  }

  private async renewHash(user: User, password: string): Promise<void> {
    const renewed = await this.passwords.rehash(password, user.passwordHash);
    if (renewed !== undefined) await this.users.replaceHash(user.id, user.passwordHash, renewed);
  }
}

function callerOf(user: User, sessionId: number): Caller {
  return { user_id: user.id, roles: rolesOf(user), session_id: sessionId };
}
