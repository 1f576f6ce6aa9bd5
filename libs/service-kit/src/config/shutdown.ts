import type { GatewayConfig } from './common-variables.js';
import { ConfigurationError } from './read-environment.js';

/** A step of the shutdown and how long it may take. */
export interface ShutdownStep {
  /** The variable that sets it and its value, or what it is for where it is fixed: completes “… + …”. */
  readonly name: string;
  readonly ms: number;
}

/**
 * How long a stopping gateway still takes requests, in milliseconds: for `SHUTDOWN_DELAY_MS` and half of it again. A load
 * balancer that looks so often may have looked just before, and the answer to its next look takes time, too.
 */
export function servedWhileStoppingMs({
  SHUTDOWN_DELAY_MS: delay,
}: Pick<GatewayConfig, 'SHUTDOWN_DELAY_MS'>): number {
  return Math.ceil(delay * 1.5);
}

/**
 * Refuses a gateway that would be cut short whenever it stops.
 * @param steps what follows the delay of `SHUTDOWN_DELAY_MS`
 * @throws ConfigurationError when all of it takes longer than `SHUTDOWN_TIMEOUT_MS`
 */
export function checkShutdown(
  config: Pick<GatewayConfig, 'SHUTDOWN_DELAY_MS' | 'SHUTDOWN_TIMEOUT_MS'>,
  steps: readonly ShutdownStep[],
): void {
  const { SHUTDOWN_TIMEOUT_MS: timeout } = config;
  const served = servedWhileStoppingMs(config);
  const total = steps.reduce((sum, { ms }) => sum + ms, served);
  if (total <= timeout) return;
  const sum = [
    `SHUTDOWN_DELAY_MS and half of it (${served} ms)`,
    ...steps.map(({ name, ms }) => `${name} (${ms} ms)`),
  ];
  throw new ConfigurationError([
    `SHUTDOWN_TIMEOUT_MS is ${timeout}, but a shutdown may take ${total} ms: ${sum.join(' + ')}. Raise SHUTDOWN_TIMEOUT_MS to at least ${total}, or lower the others.`,
  ]);
}
