import { Logger } from '@nestjs/common';
import { pino } from 'pino';
import type { ServiceConfig } from '../config/common-variables.js';
import { openLogger } from '../logging/kit-logger.js';
import { configOrExit } from '../start/run-process.js';

/** Why a task cannot do what it was asked for, and the remedy: shown as it is, without a log line around it. */
export class TaskProblem extends Error {}

/**
 * Runs something that ends by itself as the whole of this process: exit code 0 or 1, 78 for a wrong configuration.
 * Logs go to the standard error, so that the standard output is the result alone.
 */
export async function runTask<C extends ServiceConfig>(
  name: string,
  config: () => C,
  task: (config: C, logger: Logger) => Promise<void>,
): Promise<void> {
  const read = configOrExit(name, config);
  const kitLogger = await openLogger({
    name,
    level: read.LOG_LEVEL,
    format: 'json',
    destination: pino.destination({ fd: 2, sync: true }),
  });
  Logger.overrideLogger(kitLogger);
  const logger = new Logger('Task');
  try {
    await task(read, logger);
  } catch (error) {
    if (error instanceof TaskProblem) {
      process.stderr.write(`${error.message}\n`);
      process.exit(1);
    }
    logger.fatal('The task failed.', error);
    process.exit(1);
  }
  process.exit(0);
}
