export { Clock, FixedClock } from './clock.js';
export {
  type AppConfig,
  type CommonVariablesOptions,
  type GatewayConfig,
  gatewayVariables,
  type GatewayVariablesOptions,
  isLocal,
  profiles,
  type ServiceConfig,
  serviceVariables,
} from './config/common-variables.js';
export { CONFIG } from './config/config.js';
export { describeVariables } from './config/describe-variables.js';
export {
  ConfigurationError,
  configurationErrorExitCode,
  readEnvironment,
} from './config/read-environment.js';
export { databaseSettings, eventSettings, natsConnection } from './config/settings.js';
export { checkShutdown, type ShutdownStep } from './config/shutdown.js';
export {
  address,
  choice,
  type Environment,
  flag,
  integer,
  list,
  port,
  type RawEnvironment,
  text,
  type Variable,
  type Variables,
  webAddress,
} from './config/variables.js';
export { demoDataMain, type DemoDataOptions } from './database/demo-data.js';
export { migrateAndExit, type MigrateOptions } from './database/migrate-and-exit.js';
export { runTask, TaskProblem } from './database/run-task.js';
export {
  type CheckOptions,
  type CheckResult,
  Health,
  type HealthCheck,
  type HealthReport,
} from './health/health.js';
export type { ManagementServer } from './health/management-server.js';
export { Limiter, type LimiterOptions } from './limiter.js';
export { KitLogger, type LoggerSettings, openLogger } from './logging/kit-logger.js';
export { isSecretKey, redact, scrub } from './logging/redact.js';
export type { AppOptions, RunningApp } from './start/app-options.js';
export { createService, type RunningService } from './start/create-service.js';
export { startService, type StartOptions } from './start/start-service.js';
export type { Tracing } from './tracing/running-tracing.js';
export { startTracing } from './tracing/tracing.js';
