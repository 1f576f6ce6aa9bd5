import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { Clock } from '../clock.js';
import type { AppConfig } from '../config/common-variables.js';
import { CONFIG } from '../config/config.js';
import { Health } from '../health/health.js';

/** What an app is made of: its root module, given the configuration. */
export type RootModule<C> = (
  config: C,
) => DynamicModule | Type | Promise<DynamicModule> | Promise<Type>;

interface KitOptions<C> {
  config: C;
  module: RootModule<C>;
  health: Health;
  clock: Clock;
}

/** The module around an app's own: makes CONFIG, Clock and Health visible everywhere. */
@Module({})
export class KitModule {
  static async around<C extends AppConfig>({
    config,
    module,
    health,
    clock,
  }: KitOptions<C>): Promise<DynamicModule> {
    return {
      module: KitModule,
      global: true,
      imports: [await module(config)],
      providers: [
        { provide: CONFIG, useValue: config },
        { provide: Health, useValue: health },
        { provide: Clock, useValue: clock },
      ],
      exports: [CONFIG, Health, Clock],
    };
  }
}
