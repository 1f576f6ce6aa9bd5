import type { LoggerService } from '@nestjs/common';
import type { Clock } from '../clock.js';
import type { AppConfig } from '../config/common-variables.js';
import type { Health } from '../health/health.js';
import type { ManagementServer } from '../health/management-server.js';
import type { RootModule } from './kit.module.js';

/** What it takes to run an app inside a process. */
export interface AppOptions<C extends AppConfig> {
  /** `identity`, `api-gateway`. */
  name: string;
  config: C;
  module: RootModule<C>;
  /** Default: the time of the machine. */
  clock?: Clock;
  /** Default: Nest's console logger, from level warn. */
  logger?: LoggerService;
}

/** An app that serves. */
export interface RunningApp<App> {
  readonly app: App;
  readonly health: Health;
  readonly management: ManagementServer;
  /** Takes no new work, finishes what is in flight, and closes every connection. Safe to call twice. */
  close(): Promise<void>;
}
