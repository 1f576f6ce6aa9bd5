export {
  createGateway,
  type FastifyOptions,
  type GatewayOptions,
  type RunningGateway,
} from './create-gateway.js';
export { startGateway, type StartGatewayOptions } from './start-gateway.js';
