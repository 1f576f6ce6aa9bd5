import { createPublicKey, type KeyObject } from 'node:crypto';
import { ApplicationError, Keys, type PublicKey } from '@mentorhub/contracts';
import { RequestClient } from '@mentorhub/messaging/client';
import { Injectable } from '@nestjs/common';
import { invalidToken } from './token-rules.js';

/** How long an unknown key id counts as wrong before the keys are requested again. */
const pauseMs = 10_000;
/** The same after a failed request. */
const retryMs = 1000;

/** Identity's public keys, fetched when a token names one that is not known yet. */
@Injectable()
export class PublicKeys {
  private keys = new Map<string, KeyObject>();
  private fetching?: Promise<void>;
  private fetchAgainAt = 0;
  private failure?: ApplicationError;

  constructor(private readonly client: RequestClient) {}

  /**
   * The key with an id that identity published.
   * @throws ApplicationError UNAUTHENTICATED for an unknown id, SERVICE_UNAVAILABLE or DEADLINE_EXCEEDED when identity
   * is needed and does not answer
   */
  async find(kid: string): Promise<KeyObject> {
    const known = this.keys.get(kid);
    if (known) return known;
    if (Date.now() >= this.fetchAgainAt || this.fetching) await this.fetch();
    else if (this.failure) throw this.failure;
    const fetched = this.keys.get(kid);
    if (!fetched) throw invalidToken();
    return fetched;
  }

  /** Whether the last answer of identity had the key. */
  has(kid: string): boolean {
    return this.keys.has(kid);
  }

  /**
   * Drops withdrawn keys at once, then asks identity for its keys; those it no longer publishes are dropped as well.
   * @throws ApplicationError when identity does not answer; the other known keys stay
   */
  async replace(withdrawn: readonly string[]): Promise<void> {
    for (const kid of withdrawn) this.keys.delete(kid);
    // An answer that is under way may still have them.
    await this.fetching?.catch(() => undefined);
    for (const kid of withdrawn) this.keys.delete(kid);
    await this.fetch();
  }

  private fetch(): Promise<void> {
    this.fetching ??= this.load().finally(() => {
      this.fetching = undefined;
    });
    return this.fetching;
  }

  private async load(): Promise<void> {
    try {
      const { keys } = await this.client.request(Keys.list, undefined, {});
      this.keys = new Map(keys.map((key) => [key.kid, toKeyObject(key)]));
      this.failure = undefined;
      this.fetchAgainAt = Date.now() + pauseMs;
    } catch (error) {
      this.fetchAgainAt = Date.now() + retryMs;
      this.failure = error instanceof ApplicationError ? error : undefined;
      throw error;
    }
  }
}

function toKeyObject({ kty, n, e }: PublicKey): KeyObject {
  return createPublicKey({ key: { kty, n, e }, format: 'jwk' });
}
