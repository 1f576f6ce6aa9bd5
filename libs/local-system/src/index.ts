export { findNatsServer, type FindNatsServerOptions } from './nats-server.js';
export { type Nats, type NatsOptions, startNats } from './nats.js';
export { freePort, isPortFree } from './ports.js';
export { postgresBinaries, temporaryBase } from './postgres-binaries.js';
export { type Postgres, type PostgresOptions, startPostgres } from './postgres.js';
export { StartProblem } from './problem.js';
export { removeAfterwards } from './guard.js';
