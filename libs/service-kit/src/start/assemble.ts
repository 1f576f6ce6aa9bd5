import {
  ConsoleLogger,
  type DynamicModule,
  type INestApplicationContext,
  type LoggerService,
  type Type,
} from '@nestjs/common';
import { Clock } from '../clock.js';
import type { AppConfig } from '../config/common-variables.js';
import { Health } from '../health/health.js';
import { startManagementServer } from '../health/management-server.js';
import { observeApp } from '../metrics/app-metrics.js';
import { observeProcess } from '../metrics/process-metrics.js';
import type { AppOptions, RunningApp } from './app-options.js';
import { BrokerDependency, KitModule } from './kit.module.js';

interface Steps<App> {
  /** Whether the app can take work without the broker. */
  readyWithoutBroker: boolean;
  /** Added to the app's own, for `observe`. */
  providers?: Type[];
  /** Makes the Nest application; nothing is served yet. */
  create(root: DynamicModule, logger: LoggerService): Promise<App>;
  /** Registers and reports what only this kind of app depends on; returns the way to undo it. */
  observe?(app: App, health: Health): () => void;
  /** Starts serving. */
  listen(app: App): Promise<void>;
  /** Runs between “not ready” and the end of serving. */
  drain?(): Promise<void>;
}

/** Reports whether the broker is connected. */
function observeBroker(
  app: INestApplicationContext,
  health: Health,
  gatesReadiness: boolean,
): void {
  const { nats } = app.get(BrokerDependency);
  if (!nats) return;
  const check = async (): Promise<void> => {
    if (!nats.health().connected) throw new Error('not connected');
  };
  health.register('nats', check, { gatesReadiness });
}

/**
 * Starts an app: the management server first, so that a slow start can be watched, then the application, then it is
 * ready. What was opened is closed again when a step fails.
 */
export async function assemble<App extends INestApplicationContext, C extends AppConfig>(
  { config, module, clock = new Clock(), logger = quietLogger() }: AppOptions<C>,
  steps: Steps<App>,
): Promise<RunningApp<App>> {
  observeProcess();
  const health = new Health();
  const management = await startManagementServer({
    host: config.MANAGEMENT_HOST,
    port: config.MANAGEMENT_PORT,
    health,
  });
  const ends = [observeApp(health)];
  let app: App | undefined;
  try {
    const created = await steps.create(
      await KitModule.around({ config, module, health, clock, providers: steps.providers ?? [] }),
      logger,
    );
    app = created;
    observeBroker(created, health, !steps.readyWithoutBroker);
    if (steps.observe) ends.push(steps.observe(created, health));
    await steps.listen(created);
    health.markStarted();

    let closing: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      health.markDraining();
      await steps.drain?.();
      try {
        await created.close();
      } finally {
        for (const end of ends) end();
        await management.close();
      }
    };
    return { app: created, health, management, close: () => (closing ??= close()) };
  } catch (error) {
    for (const end of ends) end();
    await app?.close();
    await management.close();
    throw error;
  }
}

function quietLogger(): LoggerService {
  return new ConsoleLogger({ logLevels: ['warn', 'error', 'fatal'] });
}
