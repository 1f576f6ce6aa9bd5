import { NatsConnectionProvider } from '@mentorhub/messaging';
import { DatabaseHealth } from '@mentorhub/persistence';
import { type DynamicModule, Injectable, Module, Optional, type Type } from '@nestjs/common';
import { DataSource } from 'typeorm';
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

/** What an app turned out to depend on; gateways have no database. */
@Injectable()
export class Dependencies {
  constructor(
    @Optional() readonly nats?: NatsConnectionProvider,
    @Optional() readonly database?: DatabaseHealth,
    @Optional() readonly dataSource?: DataSource,
  ) {}
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
        Dependencies,
        { provide: CONFIG, useValue: config },
        { provide: Health, useValue: health },
        { provide: Clock, useValue: clock },
      ],
      exports: [CONFIG, Health, Clock],
    };
  }
}
