import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Pool } from 'pg';
import { DataSource } from 'typeorm';

/**
 * Asks the database for a sign of life over a connection of its own: behind a full pool the question would wait, and
 * a busy service would be taken for a broken one.
 */
@Injectable()
export class DatabaseHealth implements OnApplicationShutdown {
  private pool?: Pool;

  constructor(private readonly dataSource: DataSource) {}

  /** Resolves when the database answers; rejects within 2 s when it does not. */
  async check(): Promise<void> {
    this.pool ??= this.open();
    await this.pool.query('SELECT 1');
  }

  async onApplicationShutdown(): Promise<void> {
    const { pool } = this;
    this.pool = undefined;
    await pool?.end();
  }

  private open(): Pool {
    const { options } = this.dataSource;
    if (options.type !== 'postgres') throw new Error('Only PostgreSQL is supported.');
    const pool = new Pool({
      connectionString: options.url,
      application_name: `${options.applicationName} health`,
      max: 1,
      connectionTimeoutMillis: 2000,
      query_timeout: 2000,
      idleTimeoutMillis: 60_000,
      allowExitOnIdle: true,
    });
    // The next check finds out by itself.
    pool.on('error', () => undefined);
    return pool;
  }
}
