import { startGateway } from '@mentorhub/service-kit/gateway';
import { type ApiGatewayConfig, readConfig } from './config.js';

await startGateway<ApiGatewayConfig>({
  name: 'api-gateway',
  config: () => readConfig(process.env),
  module: async (config) => (await import('./app.module.js')).appModule(config),
  fastify: async (config) => (await import('./configure.js')).fastifyOptions(config),
  configure: async (app, config) => (await import('./configure.js')).configure(app, config),
});
