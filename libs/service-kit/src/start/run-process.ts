import { Logger } from '@nestjs/common';
import type { AppConfig } from '../config/common-variables.js';
import { ConfigurationError, configurationErrorExitCode } from '../config/read-environment.js';
import { type KitLogger, openLogger } from '../logging/kit-logger.js';
import type { Tracing } from '../tracing/running-tracing.js';
import { startTracing } from '../tracing/tracing.js';
import { releaseStartMemory } from './release-start-memory.js';

interface Closable {
  close(): Promise<void>;
}

export interface ProcessOptions<C extends AppConfig> {
  name: string;
  /** Reads and checks the configuration. */
  config: () => C;
  start: (config: C, logger: KitLogger) => Promise<Closable>;
}

/** Reads the configuration, or says what is wrong with it and ends the process with 78 (`EX_CONFIG`). */
export function configOrExit<C>(name: string, read: () => C): C {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    return process.exit(configurationErrorExitCode);
  }
}

/**
 * Runs an app as the whole of this process.
 *
 * - Exit code 78: the configuration is wrong; every error is listed on the standard error.
 * - SIGTERM, SIGINT: not ready, finish the work in flight, exit 0; exit 1 when that takes longer than
 *   `SHUTDOWN_TIMEOUT_MS`. A second signal ends at once.
 * - A failed start, or an error nobody handled: logged, exit 1. What the process holds in memory cannot be trusted then;
 *   the supervisor starts a fresh one.
 */
export async function runProcess<C extends AppConfig>({
  name,
  config: read,
  start,
}: ProcessOptions<C>): Promise<void> {
  const config = configOrExit(name, read);
  const kitLogger = await openLogger({ name, level: config.LOG_LEVEL, format: config.LOG_FORMAT });
  Logger.overrideLogger(kitLogger);
  const logger = new Logger('Process');

  const exit = (code: number): never => {
    kitLogger.flush();
    process.exit(code);
  };
  const die = (message: string, error: unknown): never => {
    logger.fatal(message, error);
    return exit(1);
  };
  process.on('uncaughtException', (error) => die('An error was not handled.', error));
  process.on('unhandledRejection', (error) => die('A rejection was not handled.', error));

  let tracing: Tracing | undefined;
  let running: Closable | undefined;
  let stopping = false;
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (stopping) return exit(1);
    stopping = true;
    logger.log(`${signal}: finishing the work in flight.`);
    const limit = config.SHUTDOWN_TIMEOUT_MS;
    setTimeout(
      () => die(`The shutdown took longer than ${limit} ms and was cut short.`, undefined),
      limit,
    ).unref();
    try {
      await running?.close();
      await tracing?.stop();
    } catch (error) {
      die('The shutdown failed.', error);
    }
    logger.log('Stopped.');
    exit(0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));

  try {
    if (config.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined) {
      tracing = await startTracing(name, config.OTEL_EXPORTER_OTLP_ENDPOINT);
    }
    running = await start(config, kitLogger);
    releaseStartMemory();
    logger.log('Ready.');
  } catch (error) {
    if (!stopping) die('The start failed.', error);
  }
}
