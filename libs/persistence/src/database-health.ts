import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { Pool } from 'pg';
import { DataSource } from 'typeorm';
import { guardOf } from './open-database.js';

/** How often the database is checked. */
const EVERY_MS = 1000;
/** Together they stay well below the 5 s that most requests have, so that these fail with the right error. */
const ANSWER_WITHIN_MS = 2000;

/**
 * Asks the database for a sign of life every second, over a connection of its own: behind a full pool the question would
 * wait, and a busy service would be taken for a broken one. When no answer comes, the connections of the pool are ended
 * if they are silent as well.
 */
@Injectable()
export class DatabaseHealth implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Database');
  private pool?: Pool;
  private timer?: NodeJS.Timeout;
  private asking?: Promise<void>;
  private answered = true;

  constructor(private readonly dataSource: DataSource) {}

  /** Whether the database answered when it was last asked. */
  get answers(): boolean {
    return this.answered;
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.check().catch(() => undefined), EVERY_MS);
    this.timer.unref();
  }

  /** Resolves when the database answers; rejects within 4 s when it does not, 2 s of them to connect. */
  check(): Promise<void> {
    this.asking ??= this.ask().finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    const { pool } = this;
    this.pool = undefined;
    await pool?.end();
  }

  private async ask(): Promise<void> {
    this.pool ??= this.open();
    const endSilent = guardOf(this.dataSource)?.mark();
    try {
      await this.pool.query('SELECT 1');
      this.report(true);
    } catch (error) {
      this.report(false, error);
      if (isSilence(error)) endSilent?.();
      throw error;
    }
  }

  private report(answers: boolean, error?: unknown): void {
    if (answers === this.answered) return;
    this.answered = answers;
    if (answers) this.logger.log('PostgreSQL answers again.');
    else this.logger.warn(`PostgreSQL does not answer: ${String(error)}`);
  }

  private open(): Pool {
    const { options } = this.dataSource;
    if (options.type !== 'postgres') throw new Error('Only PostgreSQL is supported.');
    const pool = new Pool({
      connectionString: options.url,
      application_name: `${options.applicationName} health`,
      max: 1,
      connectionTimeoutMillis: ANSWER_WITHIN_MS,
      // Ends the connection as well, as the pool releases it with the error.
      query_timeout: ANSWER_WITHIN_MS,
      allowExitOnIdle: true,
    });
    // The next check finds out by itself.
    pool.on('error', () => undefined);
    return pool;
  }
}

/** No answer came, as opposed to one that refuses. pg reports these without a code. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && /time-?out/i.test(error.message);
}
