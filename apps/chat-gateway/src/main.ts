import { startGateway } from '@mentorhub/service-kit/gateway';
import { readConfig } from './config.js';

await startGateway({
  name: 'chat-gateway',
  config: () => readConfig(process.env),
  module: async (config) => (await import('./app.module.js')).appModule(config),
  configure: async (app) => (await import('./configure.js')).configure(app),
});
