import type { AppConfig, ServiceConfig } from '../config/common-variables.js';
import { createService } from './create-service.js';
import type { RootModule } from './kit.module.js';
import { runProcess } from './run-process.js';

/** What `main.ts` says about its app. */
export interface StartOptions<C extends AppConfig> {
  /** `identity`. */
  name: string;
  /** `() => readConfig(process.env)`. */
  config: () => C;
  /** Imports the module only when called, after tracing has started. */
  module: RootModule<C>;
}

/** Runs a service as the whole of this process; see `runProcess` for signals and exit codes. */
export function startService<C extends ServiceConfig>({
  name,
  config,
  module,
}: StartOptions<C>): Promise<void> {
  return runProcess({
    name,
    config,
    start: (read, logger) => createService({ name, config: read, module, logger }),
  });
}
