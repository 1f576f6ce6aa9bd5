/** Injects the process's one `NatsConnection`. */
export const NATS_CONNECTION = Symbol('NATS_CONNECTION');

/** Injects the `MessagingOptions` of the app. */
export const MESSAGING_OPTIONS = Symbol('MESSAGING_OPTIONS');

/** Injects the `ServiceMessagingOptions` of the app. */
export const SERVICE_MESSAGING_OPTIONS = Symbol('SERVICE_MESSAGING_OPTIONS');

/** Transport id of `ServiceTransport`. Handlers name it, so that they bind to no other microservice. */
export const TRANSPORT = Symbol('MENTORHUB_TRANSPORT');
