import { NatsConnectionProvider } from '@mentorhub/messaging/client';
import { type DynamicModule, Injectable, Module, Optional, type Type } from '@nestjs/common';
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
  /** More of what the kit itself needs of the app. */
  providers: Type[];
}

/** The broker of an app, unless it does without, as some do in tests. */
@Injectable()
export class BrokerDependency {
  constructor(@Optional() readonly nats?: NatsConnectionProvider) {}
}

/** The module around an app's own: makes CONFIG, Clock and Health visible everywhere. */
@Module({})
export class KitModule {
  static async around<C extends AppConfig>({
    config,
    module,
    health,
    clock,
    providers,
  }: KitOptions<C>): Promise<DynamicModule> {
    return {
      module: KitModule,
      global: true,
      imports: [await module(config)],
      providers: [
        BrokerDependency,
        ...providers,
        { provide: CONFIG, useValue: config },
        { provide: Health, useValue: health },
        { provide: Clock, useValue: clock },
      ],
      exports: [CONFIG, Health, Clock],
    };
  }
}
