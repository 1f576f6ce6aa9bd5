import { ApplicationError } from '@mentorhub/contracts';
import { Periodic } from '@mentorhub/persistence';
import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { DataSource } from 'typeorm';
import { ErasureService } from './erasure.service.js';

const intervalMs = 30_000;
const perRound = 100;

/**
 * Erases the users that an operator has put into `requested_erasures`, which only those can who have the database: after a
 * restore, users who were erased since the backup (docs/operations.md). Any number of replicas may do so.
 */
@Injectable()
export class RequestedErasures implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(RequestedErasures.name);
  private readonly periodic = new Periodic({
    name: RequestedErasures.name,
    everyMs: intervalMs,
    atOnce: true,
    turn: () => this.sweep(),
    failure: 'Requested erasures could not be carried out',
  });

  constructor(
    private readonly dataSource: DataSource,
    private readonly erasure: ErasureService,
  ) {}

  onApplicationBootstrap(): void {
    this.periodic.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.periodic.stop();
  }

  /** One round. */
  async sweep(): Promise<void> {
    const rows = await this.dataSource.query<{ user_id: number }[]>(
      `SELECT user_id FROM requested_erasures ORDER BY user_id LIMIT ${perRound}`,
    );
    for (const { user_id: userId } of rows) {
      await this.carryOut(userId);
      await this.dataSource.query('DELETE FROM requested_erasures WHERE user_id = $1', [userId]);
    }
  }

  private async carryOut(userId: number): Promise<void> {
    try {
      await this.erasure.eraseByOperator(userId);
    } catch (error) {
      if (!(error instanceof ApplicationError)) throw error;
      // Erased already, or the last administrator: another try would end alike.
      this.logger.warn('A requested erasure was not carried out.', {
        user_id: userId,
        reason: error.code,
      });
    }
  }
}
