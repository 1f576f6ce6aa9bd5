import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { IdentityConfig } from '../config.js';
import { NetworkCounters, type NetworkLimit } from './network-counters.js';
import { NetworkFailures } from './network-failures.js';
import { sourceOf } from './source.js';

const windowMs = 3_600_000;

/** As many as of failed sign-ins. */
const tokenLimit: NetworkLimit = {
  kind: 'mail_token',
  most: 20,
  windowMs: 15 * 60_000,
  what: 'links that do not work were opened',
};

/**
 * Limits per network on what goes by mail: asking for mails, which fill mailboxes, and trying tokens that do not work,
 * which fill the audit trail. They count before anything is looked up, so that they reveal nothing.
 */
@Injectable()
export class MailLimits {
  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly networks: NetworkCounters,
    private readonly failures: NetworkFailures,
  ) {}

  /**
   * Counts a mail that is asked for, in the transaction that asks for it.
   * @throws ApplicationError RATE_LIMITED
   */
  countRequest(tx: EntityManager, ip: string): Promise<void> {
    return this.networks.count(
      tx,
      sourceOf(ip),
      this.limit('mail_request', 'mails were asked for'),
    );
  }

  /**
   * Does something with a token of a mail. Tokens that do not work count, also those that are tried at the same time.
   * @throws ApplicationError RATE_LIMITED, and whatever `work` throws
   */
  tryToken<T>(ip: string, work: () => Promise<T>): Promise<T> {
    return this.failures.limit(ip, tokenLimit, 'INVALID_TOKEN', work);
  }

  private limit(kind: NetworkLimit['kind'], what: string): NetworkLimit {
    return { kind, most: this.config.MAIL_REQUESTS_PER_HOUR, windowMs, what };
  }
}
