import {
  ApplicationError,
  type Caller,
  type Device,
  type SecondFactor,
  type SignedIn,
  type TokenPair,
} from '@mentorhub/contracts';
import { Clock, CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { AuditTrail } from '../audit/audit-trail.js';
import type { IdentityConfig } from '../config.js';
import { KnownDevices } from '../devices/known-devices.js';
import { AccessTokenSigner } from '../keys/access-token-signer.js';
import { Revocation } from '../sessions/revocation.js';
import type { SignInMethod } from '../sessions/session.entity.js';
import { FactorChecks } from '../second-factor/factor-checks.js';
import { challengeSeconds, SignInChallenges } from '../second-factor/sign-in-challenges.js';
import {
  type EndedSession,
  type SessionLifetime,
  SessionsRepository,
} from '../sessions/sessions.repository.js';
import { User } from '../users/user.entity.js';
import { rolesOf, toUserView } from '../users/user.views.js';
import { RefreshTokens } from './refresh-tokens.js';

const dayMs = 86_400_000;

/** What a transaction hands out to be signed once it has committed. */
export interface Grant {
  caller: Caller;
  refreshToken: string;
  issuedAt: Date;
}

/** A session that was opened, for `answer`. */
export interface OpenedSession {
  grant: Grant;
  user: User;
  /** Sessions that made room for it. */
  ended: readonly EndedSession[];
}

/** A sign-in whose account has a second factor, which is still to be shown. */
export interface PendingSession {
  challenge: string;
  methods: SecondFactor[];
}

export interface SignInProof {
  method: SignInMethod;
  device: Device;
  /** What was shown besides; a passkey is both. */
  secondFactor?: SecondFactor;
  /** The user named an address and proved nothing, as in `EMAIL_LOGIN=trusted`. */
  unproven?: boolean;
}

/** The one way to a session, however its user proved who they are. */
@Injectable()
export class SignIns {
  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly sessions: SessionsRepository,
    private readonly refreshTokens: RefreshTokens,
    private readonly revocation: Revocation,
    private readonly knownDevices: KnownDevices,
    private readonly signer: AccessTokenSigner,
    private readonly factors: FactorChecks,
    private readonly challenges: SignInChallenges,
    private readonly audit: AuditTrail,
    private readonly clock: Clock,
  ) {}

  /**
   * Opens a session, in the transaction that accepts the proof; `answer` it once that has committed. Where the account
   * has a second factor there is no session yet: `answer` then fails with MFA_REQUIRED.
   * @throws ApplicationError FORBIDDEN for an account that is deactivated, or was not verified in time
   */
  async open(
    tx: EntityManager,
    { id }: Pick<User, 'id'>,
    proof: Omit<SignInProof, 'secondFactor'>,
  ): Promise<OpenedSession | PendingSession> {
    const user = await this.lockUser(tx, id);
    const methods = await this.factors.methods(tx, user.id);
    if (methods.length === 0) return this.openFor(tx, user, proof);
    const { method, device } = proof;
    const pending = { userId: user.id, method };
    const challenge = await this.challenges.issue(tx, pending, this.clock.now());
    await this.audit.record(tx, {
      action: 'session.await_second_factor',
      actorId: user.id,
      device,
      detail: { method },
    });
    return { challenge, methods };
  }

  /**
   * Opens the session of one who has shown all there is to show.
   * @throws ApplicationError FORBIDDEN for an account that is deactivated, or was not verified in time
   */
  async complete(
    tx: EntityManager,
    { id }: Pick<User, 'id'>,
    proof: SignInProof,
  ): Promise<OpenedSession> {
    return this.openFor(tx, await this.lockUser(tx, id), proof);
  }

  /**
   * The user as of now. A deactivation, a change of role or of the second factors at the same time waits for this sign-in,
   * or the other way round.
   */
  private async lockUser(tx: EntityManager, id: number): Promise<User> {
    const user = await tx.findOne(User, { where: { id }, lock: { mode: 'for_no_key_update' } });
    if (!user?.isActive) {
      throw new ApplicationError('FORBIDDEN', 'This account is deactivated: write to the support.');
    }
    // Its address may be that of somebody else, who is to get it back.
    if (!user.emailVerifiedAt && user.verifyBy && user.verifyBy <= this.clock.now()) {
      throw new ApplicationError(
        'FORBIDDEN',
        'The address of this account was not verified in time, so the account is deleted: register again.',
      );
    }
    return user;
  }

  private async openFor(tx: EntityManager, user: User, proof: SignInProof): Promise<OpenedSession> {
    const { method, device, secondFactor, unproven = false } = proof;
    const issuedAt = this.clock.now();
    const session = await this.sessions.insert(
      tx,
      {
        userId: user.id,
        createdAt: issuedAt,
        expiresAt: new Date(issuedAt.getTime() + this.lifetime.slidingMs),
        accessExpiresAt: this.signer.expiry(issuedAt),
        method,
        authenticatedAt: unproven ? null : issuedAt,
      },
      device,
    );
    const refreshToken = await this.refreshTokens.issue(tx, session.id, issuedAt);
    await this.audit.record(tx, {
      action: 'session.open',
      actorId: user.id,
      sessionId: session.id,
      device,
      detail: { method, ...(secondFactor && { second_factor: secondFactor }) },
    });
    await this.knownDevices.note(tx, { userId: user.id, sessionId: session.id }, device);
    const ended = await this.endOldest(tx, user.id, device);
    return { grant: { caller: callerOf(user, session.id), refreshToken, issuedAt }, user, ended };
  }

  /**
   * As `complete`, for a transaction that is committed also when it resolves to a refusal: that of one who may not sign in
   * is recorded.
   */
  async completeOrRefuse(
    tx: EntityManager,
    user: Pick<User, 'id'>,
    proof: SignInProof,
  ): Promise<OpenedSession | ApplicationError> {
    try {
      return await this.complete(tx, user, proof);
    } catch (error) {
      if (!(error instanceof ApplicationError)) throw error;
      await this.audit.record(tx, {
        action: 'session.open',
        outcome: 'failure',
        actorId: null,
        userId: user.id,
        device: proof.device,
        detail: { method: proof.method, code: error.code },
      });
      return error;
    }
  }

  /**
   * The tokens of a session that was opened, and its user.
   * @throws ApplicationError MFA_REQUIRED
   */
  async answer(session: OpenedSession | PendingSession): Promise<SignedIn> {
    const { grant, user, ended } = openedOf(session);
    this.revocation.announce(ended);
    return Object.assign(await this.tokens(grant), { user: toUserView(user) });
  }

  /** How long sessions last. */
  get lifetime(): SessionLifetime {
    const { REFRESH_TOKEN_TTL_DAYS: sliding, SESSION_TTL_DAYS: absolute } = this.config;
    return { slidingMs: sliding * dayMs, absoluteMs: absolute * dayMs };
  }

  /** Signs what was granted. */
  async tokens({ caller, refreshToken, issuedAt }: Grant): Promise<TokenPair> {
    const now = Math.floor(this.clock.now().getTime() / 1000);
    return {
      access_token: await this.signer.sign(caller, issuedAt),
      refresh_token: refreshToken,
      token_type: 'bearer',
      expires_in: this.signer.expiry(issuedAt).getTime() / 1000 - now,
    };
  }

  /** Ends the sessions beyond those that a user may have, those that were used least recently. */
  private async endOldest(
    tx: EntityManager,
    userId: number,
    device: Device,
  ): Promise<EndedSession[]> {
    const { SESSIONS_PER_USER: most } = this.config;
    const ended: EndedSession[] = [];
    for (const id of await this.sessions.beyond(tx, userId, { most, now: this.clock.now() })) {
      ended.push(...(await this.revocation.endIn(tx, { id })));
      await this.audit.record(tx, {
        action: 'session.end_oldest',
        actorId: null,
        userId,
        sessionId: id,
        device,
      });
    }
    return ended;
  }
}

/**
 * The session that a sign-in opened; call it once the transaction has committed.
 * @throws ApplicationError MFA_REQUIRED when it opened none
 */
export function openedOf(session: OpenedSession | PendingSession): OpenedSession {
  if ('grant' in session) return session;
  const { challenge, methods } = session;
  throw new ApplicationError(
    'MFA_REQUIRED',
    'Complete the sign-in within five minutes: send the challenge and one of the methods to POST /api/v1/auth/mfa/verify.',
    { data: { mfa_required: true, challenge, methods, expires_in: challengeSeconds } },
  );
}

/** Who the access tokens of a session speak for. */
export function callerOf(user: User, sessionId: number): Caller {
  return {
    user_id: user.id,
    roles: rolesOf(user),
    session_id: sessionId,
    ...(user.isPremium && { is_premium: true as const }),
  };
}
