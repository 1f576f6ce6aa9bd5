import { Logger as NestLogger } from '@nestjs/common';
import type { Logger } from 'typeorm';

/**
 * TypeORM's log lines in ours, as far as they say something: no parameters, which hold what users typed, and no line
 * per query, which traces show better.
 */
export class DatabaseLogger implements Logger {
  private readonly logger = new NestLogger('Database');

  logQuery(): void {
    // Traces show queries, with their times and what caused them.
  }

  logQueryError(): void {
    // A violated constraint is often the answer; what is not gets logged by whom it reaches.
  }

  logQuerySlow(milliseconds: number, query: string): void {
    this.logger.warn(`Slow query, ${milliseconds} ms: ${query}`);
  }

  logSchemaBuild(): void {
    // The schema comes from migrations, and their runner reports which ran.
  }

  logMigration(): void {
    // See logSchemaBuild, which TypeORM calls for most of what migrations do.
  }

  log(level: 'log' | 'info' | 'warn', message: unknown): void {
    if (level === 'warn') this.logger.warn(message);
  }
}
