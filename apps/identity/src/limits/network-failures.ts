import { ApplicationError, type ErrorCode } from '@mentorhub/contracts';
import { Transactions } from '@mentorhub/persistence';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { NetworkCounters, type NetworkLimit } from './network-counters.js';
import { sourceOf } from './source.js';

/** Limits per network how often something may fail, as each failure is an entry in the audit trail, which is kept. */
@Injectable()
export class NetworkFailures {
  constructor(
    private readonly networks: NetworkCounters,
    private readonly transactions: Transactions,
    private readonly dataSource: DataSource,
  ) {}

  /**
   * Does something that counts where it fails with `failure`. It counts beforehand, so that tries at the same time cannot
   * exceed the limit.
   * @throws ApplicationError RATE_LIMITED, and whatever `work` throws
   */
  async limit<T>(
    ip: string,
    limit: NetworkLimit,
    failure: ErrorCode,
    work: () => Promise<T>,
  ): Promise<T> {
    const source = sourceOf(ip);
    await this.transactions.run((tx) => this.networks.count(tx, source, limit));
    let failed = false;
    try {
      return await work();
    } catch (error) {
      failed = error instanceof ApplicationError && error.code === failure;
      throw error;
    } finally {
      if (!failed) await this.networks.takeBack(this.dataSource.manager, source, limit.kind);
    }
  }
}
