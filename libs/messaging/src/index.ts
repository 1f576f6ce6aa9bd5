export * from './client.js';
export { DeadLetters } from './events/dead-letters.js';
export { EventWorker } from './events/event-worker.js';
export { type MigrationClass, messagingMigrations } from './events/messaging.migrations.js';
export { OnEvent, type OnEventOptions, OnEventBatch } from './events/on-event.decorator.js';
export {
  insertOutboxSql,
  Outbox,
  outboxColumns,
  type OutboxColumns,
  type OutboxEntry,
  outboxTrace,
} from './events/outbox.js';
export { Republisher } from './events/republisher.js';
export { ServiceMessagingModule } from './service-messaging.module.js';
export type { ErrorClassifier, ServiceMessagingOptions } from './messaging.options.js';
export {
  EVENT_STREAM,
  type NatsApp,
  natsApps,
  type NatsCluster,
  type NatsConfigValue,
  type NatsPermissions,
  natsPermissions,
  natsServerConfig,
  type NatsServerSettings,
  type NatsTls,
  type NatsUser,
  STREAM_OWNER,
} from './nats-permissions.js';
export { Handle } from './requests/handle.decorator.js';
export { ServiceTransport } from './requests/service-transport.js';
export { TRANSPORT } from './tokens.js';
