import { Logger as NestLogger } from '@nestjs/common';
import type { Logger } from 'typeorm';

/** TypeORM's log lines in ours, without parameters: they hold what users typed. */
export class DatabaseLogger implements Logger {
  private readonly logger = new NestLogger('Database');

  logQuery(query: string): void {
    this.logger.verbose(query);
  }

  /** At debug level: a violated constraint is often the answer, and what is not gets logged by whom it reaches. */
  logQueryError(error: string | Error, query: string): void {
    this.logger.debug(`${typeof error === 'string' ? error : error.message}: ${query}`);
  }

  logQuerySlow(milliseconds: number, query: string): void {
    this.logger.warn(`Slow query, ${milliseconds} ms: ${query}`);
  }

  logSchemaBuild(message: string): void {
    this.logger.debug(message);
  }

  logMigration(message: string): void {
    this.logger.log(message);
  }

  log(level: 'log' | 'info' | 'warn', message: unknown): void {
    if (level === 'warn') this.logger.warn(message);
    else this.logger.debug(message);
  }
}
