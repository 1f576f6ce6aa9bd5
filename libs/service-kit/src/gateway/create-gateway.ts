import type { GatewayConfig } from '../config/common-variables.js';
import type { GatewayOptions, RunningGateway } from './gateway-options.js';

/**
 * Starts a gateway in this process, without touching the process itself: no signals, no exit. For tests; `startGateway`
 * is for `main.ts`.
 */
export async function createGateway<C extends GatewayConfig>(
  options: GatewayOptions<C>,
): Promise<RunningGateway> {
  // Loads the HTTP server, which tracing patches: so not when the kit is imported.
  const { createGatewayApp } = await import('./gateway-app.js');
  return createGatewayApp(options);
}
