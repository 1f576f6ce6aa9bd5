import { startService } from '@mentorhub/service-kit';
import { readConfig } from './config.js';

await startService({
  name: 'chat',
  config: () => readConfig(process.env),
  module: async (config) => (await import('./app.module.js')).appModule(config),
});
