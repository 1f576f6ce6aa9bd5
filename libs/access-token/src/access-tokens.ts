import type { KeyObject } from 'node:crypto';
import { type Caller, signingKeysChangedSignal } from '@mentorhub/contracts';
import { Signals, type SignalSubscription } from '@mentorhub/messaging/client';
import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import jsonwebtoken, { type JwtPayload } from 'jsonwebtoken';
import { LRUCache } from 'lru-cache';
import { PublicKeys } from './public-keys.js';
import { RevokedSessions } from './revoked-sessions.js';
import {
  endedSession,
  expiredToken,
  factsOf,
  invalidToken,
  keyIdOf,
  type TokenFacts,
  tokenRules,
} from './token-rules.js';

const mostRemembered = 10_000;
/** Far shorter than the time for which identity publishes a key before it signs with it. */
const keyRefreshMs = 60_000;

/** A token that was verified. */
interface VerifiedToken extends TokenFacts {
  /** Id of the key that signed it. */
  kid: string;
}

/**
 * Decides whose an access token is. A token that was verified is remembered until it expires, so that a client's
 * further requests cost no signature check; whether its key is still published and its session goes on is checked
 * every time.
 */
@Injectable()
export class AccessTokens implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(AccessTokens.name);
  private readonly verified = new LRUCache<string, VerifiedToken>({ max: mostRemembered });
  private timer?: NodeJS.Timeout;
  private subscription?: SignalSubscription;
  private readonly withdrawalListeners = new Set<() => void>();

  constructor(
    private readonly keys: PublicKeys,
    private readonly revoked: RevokedSessions,
    private readonly signals: Signals,
  ) {}

  onApplicationBootstrap(): void {
    this.subscription = this.signals.subscribe(
      signingKeysChangedSignal,
      ({ withdrawn }) => void this.replaceKeys(withdrawn),
    );
    this.timer = setInterval(() => void this.replaceKeys([]), keyRefreshMs);
    this.timer.unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
    this.subscription?.unsubscribe();
  }

  /**
   * The caller an access token stands for.
   * @throws ApplicationError UNAUTHENTICATED for anything but a valid token of a session that goes on; SERVICE_UNAVAILABLE or
   * DEADLINE_EXCEEDED while that cannot be known
   */
  async verify(token: string): Promise<Caller> {
    const remembered = this.recall(token);
    if (remembered) return remembered;
    const key = await this.keyOf(token);
    return this.admit(token, checkSignature(token, key));
  }

  /** The caller of a token that was verified before and is still valid; `undefined` when it has to be verified. */
  recall(token: string): Caller | undefined {
    const known = this.verified.get(token);
    if (!known || !this.revoked.loaded) return undefined;
    if (
      known.expiresAt <= Date.now() ||
      !this.keys.has(known.kid) ||
      this.revoked.has(known.caller.session_id)
    ) {
      this.verified.delete(token);
      return undefined;
    }
    return known.caller;
  }

  /**
   * The key to verify a token with.
   * @throws like `verify`
   */
  async keyOf(token: string): Promise<KeyObject> {
    return this.keys.find(keyIdOf(token));
  }

  /**
   * The caller of a token that was just verified by the rules of `jwtOptions`.
   * @throws like `verify`
   */
  admit(token: string, claims: JwtPayload | string | undefined): Caller {
    const facts = factsOf(claims);
    if (this.revoked.has(facts.caller.session_id)) throw endedSession();
    this.verified.set(token, { ...facts, kid: keyIdOf(token) });
    return facts.caller;
  }

  /**
   * Calls `listener` when identity withdraws keys: whatever rests on their tokens may have been forged. Returns the way to
   * stop that.
   */
  onKeysWithdrawn(listener: () => void): () => void {
    this.withdrawalListeners.add(listener);
    return () => this.withdrawalListeners.delete(listener);
  }

  /** Fetches new keys before they sign, and drops withdrawn ones. */
  private async replaceKeys(withdrawn: readonly string[]): Promise<void> {
    try {
      const replaced = this.keys.replace(withdrawn);
      if (withdrawn.length > 0) for (const listener of this.withdrawalListeners) listener();
      await replaced;
    } catch (error) {
      this.logger.debug('The signing keys could not be fetched; the known ones stay.', error);
    }
  }
}

function checkSignature(token: string, key: KeyObject): JwtPayload | string {
  try {
    return jsonwebtoken.verify(token, key, tokenRules);
  } catch (error) {
    throw error instanceof jsonwebtoken.TokenExpiredError
      ? expiredToken(error)
      : invalidToken(error);
  }
}
