/*
 * What every app uses: the connection, requests and signals. Loads no database driver, which a gateway has no use for.
 */
export { connectNats, NatsConnectionProvider } from './connection/nats-connection.provider.js';
export { MessagingModule } from './messaging.module.js';
export type { MessagingOptions, NatsConnectionSettings } from './messaging.options.js';
export { type RequestContext, requestContext } from './request-context.js';
export { type RawReply, RequestClient, type SendOptions } from './requests/request-client.js';
export { Signals, type SignalSubscription } from './signals.js';
export { MESSAGING_OPTIONS, NATS_CONNECTION } from './tokens.js';
