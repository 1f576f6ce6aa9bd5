import { Counter, Gauge, Histogram, register } from 'prom-client';

/* The metrics of requests, which every app sends, in the default registry of prom-client; those of events are in `events`. */

/** A module may be loaded twice in one test process, hence the look-up before each registration. */
export function once<M>(name: string, create: () => M): M {
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

/** 1 while this process is connected to NATS, 0 while it is not. */
export const natsConnected = once(
  'nats_connected',
  () => new Gauge({ name: 'nats_connected', help: 'Whether this process is connected to NATS.' }),
);

/** Requests being handled right now. */
export const rpcInFlight = once(
  'rpc_requests_in_flight',
  () => new Gauge({ name: 'rpc_requests_in_flight', help: 'Requests being handled right now.' }),
);
