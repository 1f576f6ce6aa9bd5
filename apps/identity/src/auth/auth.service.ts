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
import { LoginThrottle } from './login-throttle.js';
import { RefreshTokens } from './refresh-tokens.js';

const dayMs = 86_400_000;

/** What a transaction hands out to be signed once it has committed. */
interface Grant {
  caller: Caller;
  refreshToken: string;
  accessExpiresAt: Date;
}

@Injectable()
export class AuthService {
  private readonly logger = new Logger(AuthService.name);

  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly users: UsersRepository,
    private readonly passwords: Passwords,
    private readonly throttle: LoginThrottle,
    private readonly sessions: SessionsRepository,
    private readonly refreshTokens: RefreshTokens,
    private readonly revocation: Revocation,
    private readonly signer: AccessTokenSigner,
    private readonly transactions: Transactions,
    private readonly clock: Clock,
  ) {}

  /**
   * Signs a device in. An unknown address and a wrong password look the same, in time too (ASVS 6.3.8).
   * @throws ApplicationError INVALID_CREDENTIALS, RATE_LIMITED, FORBIDDEN for a deactivated account
   */
  async login({ email: address, password, device }: Login & { device: Device }): Promise<SignedIn> {
    const email = address.toLowerCase();
    await this.throttle.admit(email, device.ip);
    const user = await this.users.credentialsOf(email);
    if (!(await this.passwords.matches(password, user?.passwordHash)) || !user) {
      throw new ApplicationError(
        'INVALID_CREDENTIALS',
        'The email address or the password is wrong: check both, or reset the password.',
      );
    }
    await this.throttle.clear(email, device.ip);
    if (!user.isActive) {
      throw new ApplicationError('FORBIDDEN', 'This account is deactivated: write to the support.');
    }
    await this.renewHash(user, password);
    const grant = await this.transactions.run((tx) => this.open(tx, user, device));
    return { ...(await this.toTokenPair(grant)), user: toUserView(user) };
  }

  /**
   * Exchanges a refresh token for a new pair. A token that turns up again after its use was stolen from one side or the
   * other: its session ends (RFC 9700 §4.14.2).
   * @throws ApplicationError INVALID_REFRESH_TOKEN
   */
  async refresh(request: { refresh_token: string; device: Device }): Promise<TokenPair> {
    const { grant, ended } = await this.transactions.run(async (tx) => {
      const redemption = await this.refreshTokens.redeem(
        tx,
        request.refresh_token,
        this.clock.now(),
      );
      // No error here, which would undo the end of the session.
      return {
        grant:
          redemption.outcome === 'redeemed'
            ? await this.renew(tx, redemption.sessionId, request.device)
            : undefined,
        ended:
          redemption.outcome === 'reused'
            ? await this.revocation.endIn(tx, { id: redemption.sessionId })
            : [],
      };
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
    await this.revocation.end({ userId: actor.user_id });
  }

  private async open(tx: EntityManager, user: User, device: Device): Promise<Grant> {
    const createdAt = this.clock.now();
    const accessExpiresAt = this.signer.expiry();
    const expiresAt = new Date(createdAt.getTime() + this.config.REFRESH_TOKEN_TTL_DAYS * dayMs);
    const session = await this.sessions.insert(
      tx,
      { userId: user.id, createdAt, expiresAt, accessExpiresAt },
      device,
    );
    return this.grant(tx, user, session.id, accessExpiresAt);
  }

  /** Nothing, when the session has ended or its user may not sign in any more. */
  private async renew(
    tx: EntityManager,
    sessionId: number,
    device: Device,
  ): Promise<Grant | undefined> {
    const accessExpiresAt = this.signer.expiry();
    const session = await this.sessions.touch(tx, sessionId, {
      now: this.clock.now(),
      accessExpiresAt,
      device,
    });
    const user = session && (await tx.findOneBy(User, { id: session.userId, isActive: true }));
    return user ? this.grant(tx, user, sessionId, accessExpiresAt) : undefined;
  }

  private async grant(
    tx: EntityManager,
    user: User,
    sessionId: number,
    accessExpiresAt: Date,
  ): Promise<Grant> {
    return {
      caller: { user_id: user.id, roles: rolesOf(user), session_id: sessionId },
      refreshToken: await this.refreshTokens.issue(tx, sessionId, this.clock.now()),
      accessExpiresAt,
    };
  }

  private async toTokenPair(grant: Grant) {
    return {
      access_token: await this.signer.sign(grant.caller, grant.accessExpiresAt),
      refresh_token: grant.refreshToken,
      token_type: 'bearer' as const,
      expires_in: this.config.ACCESS_TOKEN_TTL_SECONDS,
    };
  }

  private async renewHash(user: User, password: string): Promise<void> {
    const renewed = await this.passwords.rehash(password, user.passwordHash);
    if (renewed !== undefined) await this.users.replaceHash(user.id, user.passwordHash, renewed);
  }
}
