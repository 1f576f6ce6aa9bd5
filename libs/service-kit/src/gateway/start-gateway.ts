import type { GatewayConfig } from '../config/common-variables.js';
import { runProcess } from '../start/run-process.js';
import type { StartOptions } from '../start/start-service.js';
import { createGateway } from './create-gateway.js';
import type { GatewayOptions } from './gateway-options.js';

export interface StartGatewayOptions<C extends GatewayConfig>
  extends StartOptions<C>, Pick<GatewayOptions<C>, 'configure' | 'fastify' | 'rawBody'> {}

/** Runs a gateway as the whole of this process; see `runProcess` for signals and exit codes. */
export function startGateway<C extends GatewayConfig>({
  name,
  config,
  ...options
}: StartGatewayOptions<C>): Promise<void> {
  return runProcess({
    name,
    config,
    start: (read, logger) => createGateway({ name, config: read, logger, ...options }),
  });
}
