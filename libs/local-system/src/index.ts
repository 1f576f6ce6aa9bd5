export { folderHolder } from './claim.js';
export type { DatabaseUrls } from './databases.js';
export type { DemoAccount } from './demo-data.js';
export { type Edge, type EdgeOptions, startEdge } from './edge/edge.js';
export type { Upstream } from './edge/replicas.js';
export { guard, removeAfterwards, type StopSignal } from './guard.js';
export { findNatsServer } from './nats-server.js';
export { type Nats, type NatsOptions, startNats } from './nats.js';
export { freePort, isPortFree } from './ports.js';
export { postgresBinaries, temporaryBase } from './postgres-binaries.js';
export { type Postgres, type PostgresOptions, startPostgres } from './postgres.js';
export { StartProblem } from './problem.js';
export type { Crash } from './supervisor.js';
export { findTool, type FindToolOptions, type Tool } from './tools.js';
export { type AppInstance, startSystem, type System, type SystemOptions } from './system.js';
export {
  type AppName,
  appNames,
  type GatewayName,
  gatewayNames,
  isGateway,
  type ServiceName,
  serviceNames,
  variablePart,
  workspaceRoot,
} from './workspace.js';
