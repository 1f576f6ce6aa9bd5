import { ApplicationError } from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { CONFIG } from '@mentorhub/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { IdentityConfig } from '../config.js';
import { NetworkCounters, type NetworkLimit } from './network-counters.js';
import { sourceOf } from './source.js';

const windowMs = 3_600_000;

/**
 * Limits per network on what goes by mail: asking for mails, which fill mailboxes, and trying tokens that do not work,
 * which fill the audit trail. They count before anything is looked up, so that they reveal nothing.
 */
@Injectable()
export class MailLimits {
  constructor(
    @Inject(CONFIG) private readonly config: IdentityConfig,
    private readonly networks: NetworkCounters,
    private readonly transactions: Transactions,
    private readonly dataSource: DataSource,
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
  async tryToken<T>(ip: string, work: () => Promise<T>): Promise<T> {
    const source = sourceOf(ip);
    const limit = this.limit('mail_token', 'links that do not work were opened');
    await this.transactions.run((tx) => this.networks.count(tx, source, limit));
    let worked = true;
    try {
      return await work();
    } catch (error) {
      worked = !(error instanceof ApplicationError && error.code === 'INVALID_TOKEN');
      throw error;
    } finally {
      if (worked) await this.networks.takeBack(this.dataSource.manager, source, 'mail_token');
    }
  }

  private limit(kind: NetworkLimit['kind'], what: string): NetworkLimit {
    return { kind, most: this.config.MAIL_REQUESTS_PER_HOUR, windowMs, what };
  }
}
