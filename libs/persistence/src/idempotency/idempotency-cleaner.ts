import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { DataSource } from 'typeorm';
import { keptFor } from './idempotency.js';

const everyMs = 10 * 60_000;
const batch = 1000;

/** Deletes keys that have expired. Replicas may do it at the same time: each skips the rows that another deletes. */
@Injectable()
export class IdempotencyCleaner implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(IdempotencyCleaner.name);
  private timer?: NodeJS.Timeout;

  constructor(private readonly dataSource: DataSource) {}

  onApplicationBootstrap(): void {
    if (!this.dataSource.migrations.some(({ name }) => name?.includes('CreateIdempotencyKeys'))) {
      return;
    }
    this.timer = setInterval(() => void this.cleanQuietly(), everyMs);
    this.timer.unref();
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  /** Deletes at most 1000 expired keys; resolves to how many. */
  async clean(): Promise<number> {
    const [, deleted] = await this.dataSource.query<[unknown[], number]>(`
      DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM idempotency_keys
        WHERE created_at < now() - interval '${keptFor}'
        LIMIT ${batch} FOR UPDATE SKIP LOCKED))`);
    return deleted;
  }

  private async cleanQuietly(): Promise<void> {
    try {
      while ((await this.clean()) === batch);
    } catch (error) {
      this.logger.warn(
        'Expired idempotency keys could not be deleted; the next turn tries again.',
        error,
      );
    }
  }
}
