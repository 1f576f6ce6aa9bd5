import type { INestMicroservice } from '@nestjs/common';
import type { ServiceConfig } from '../config/common-variables.js';
import type { AppOptions, RunningApp } from './app-options.js';

export type RunningService = RunningApp<INestMicroservice>;

/**
 * Starts a service in this process, without touching the process itself: no signals, no exit. For tests; `startService`
 * is for `main.ts`.
 */
export async function createService<C extends ServiceConfig>(
  options: AppOptions<C>,
): Promise<RunningService> {
  // Loads the database driver, which tracing patches: so not when the kit is imported.
  const { createServiceApp } = await import('./service-app.js');
  return createServiceApp(options);
}
