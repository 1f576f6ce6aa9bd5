import { Counter, Gauge, Histogram, register } from 'prom-client';

/*
 * Every metric of this library, in the default registry of prom-client. A module may be loaded twice in one test
 * process, hence the look-up before each registration.
 */

function once<M>(name: string, create: () => M): M {
  return (register.getSingleMetric(name) as M | undefined) ?? create();
}

/** Requests by `side` (client, server), `subject` and `code` (`OK` or an error code). */
export const rpcRequests = once(
  'rpc_requests_total',
  () =>
    new Counter({
      name: 'rpc_requests_total',
      help: 'Requests over NATS, by side, subject and outcome.',
      labelNames: ['side', 'subject', 'code'] as const,
    }),
);

/** Seconds from the arrival of a request to its answer (server) or from sending to the answer (client). */
export const rpcDuration = once(
  'rpc_request_duration_seconds',
  () =>
    new Histogram({
      name: 'rpc_request_duration_seconds',
      help: 'Duration of requests over NATS, by side and subject.',
      labelNames: ['side', 'subject'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    }),
);

/** Requests being handled right now. */
export const rpcInFlight = once(
  'rpc_requests_in_flight',
  () => new Gauge({ name: 'rpc_requests_in_flight', help: 'Requests being handled right now.' }),
);

/** Events stored by JetStream, by `type`. */
export const eventsPublished = once(
  'events_published_total',
  () =>
    new Counter({
      name: 'events_published_total',
      help: 'Events the relay handed to JetStream, by type.',
      labelNames: ['type'] as const,
    }),
);

/** Effects committed, by `type` and `handler`. */
export const eventsHandled = once(
  'events_handled_total',
  () =>
    new Counter({
      name: 'events_handled_total',
      help: 'Events handled, by type and handler.',
      labelNames: ['type', 'handler'] as const,
    }),
);

/** Failed attempts that will be repeated, by `type` and `handler`. */
export const eventsRetried = once(
  'events_retried_total',
  () =>
    new Counter({
      name: 'events_retried_total',
      help: 'Failed attempts to handle an event that will be repeated, by type and handler.',
      labelNames: ['type', 'handler'] as const,
    }),
);

/** Events parked after their last attempt, by `type` and `handler`. */
export const eventsDead = once(
  'events_dead_total',
  () =>
    new Counter({
      name: 'events_dead_total',
      help: 'Events parked in dead_letters, by type and handler.',
      labelNames: ['type', 'handler'] as const,
    }),
);

/** Seconds from the fact to its handling, by `handler`. */
export const eventsLag = once(
  'events_lag_seconds',
  () =>
    new Histogram({
      name: 'events_lag_seconds',
      help: 'Seconds between an event and the commit of its effect, by handler.',
      labelNames: ['handler'] as const,
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 120, 600],
    }),
);

/** Age of the oldest event that waits for the relay; 0 when none does. */
export const outboxAge = once(
  'outbox_oldest_unpublished_seconds',
  () =>
    new Gauge({
      name: 'outbox_oldest_unpublished_seconds',
      help: 'Age of the oldest event not yet handed to JetStream, as seen by the active relay.',
    }),
);

/** 1 in the process that relays and handles the service's events, 0 in the standbys. */
export const eventsActive = once(
  'events_active',
  () =>
    new Gauge({
      name: 'events_active',
      help: 'Whether this process is the one that relays and handles the events of its service.',
    }),
);
