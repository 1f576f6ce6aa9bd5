export { createGateway } from './create-gateway.js';
export type { FastifyOptions, GatewayOptions, RunningGateway } from './gateway-options.js';
export { startGateway, type StartGatewayOptions } from './start-gateway.js';
