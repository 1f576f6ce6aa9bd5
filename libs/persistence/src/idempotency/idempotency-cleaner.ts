import { Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Periodic } from '../periodic.js';
import { keptFor } from './idempotency.js';

const everyMs = 10 * 60_000;
const batch = 1000;

/** Deletes keys that have expired. Replicas may do it at the same time: each skips the rows that another deletes. */
@Injectable()
export class IdempotencyCleaner implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly periodic = new Periodic({
    name: IdempotencyCleaner.name,
    everyMs,
    turn: async (stopping) => {
      while (!stopping.aborted && (await this.clean()) === batch);
    },
    failure: 'Expired idempotency keys could not be deleted',
  });

  constructor(private readonly dataSource: DataSource) {}

  onApplicationBootstrap(): void {
    if (this.dataSource.migrations.some(({ name }) => name?.includes('CreateIdempotencyKeys'))) {
      this.periodic.start();
    }
  }

  onModuleDestroy(): Promise<void> {
    return this.periodic.stop();
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
}
