import { Counter, Gauge, Histogram } from 'prom-client';
import { once } from '../metrics.js';

/* The metrics of events. Only services load them: in a gateway, `events_active 0` would look like a service without leader. */

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

/** An age in seconds, computed when it is read: it grows on while nobody can look for a newer value. */
class AgeGauge extends Gauge {
  /** Undefined reads as 0. */
  since: Date | undefined;

  refresh(): void {
    this.set(this.since ? Math.max(0, Date.now() - this.since.getTime()) / 1000 : 0);
  }
}

function ageGauge(name: string, help: string): AgeGauge {
  return once(name, () => {
    const gauge: AgeGauge = new AgeGauge({ name, help, collect: () => gauge.refresh() });
    return gauge;
  });
}

/**
 * Age of the oldest event that waits for the relay; 0 when none does. While the relay cannot look, it is the time since
 * it last could.
 */
export const outboxAge = ageGauge(
  'outbox_oldest_unpublished_seconds',
  'Age of the oldest event not yet handed to JetStream, as seen by the active relay.',
);

/** Events set aside because they can never be published, by `type` and `reason`. */
export const eventsParked = once(
  'events_parked_total',
  () =>
    new Counter({
      name: 'events_parked_total',
      help: 'Events of the outbox that can never be published and were set aside, by type and reason.',
      labelNames: ['type', 'reason'] as const,
    }),
);

/** Age of the oldest event that failed, or waits behind one that did; 0 when none does. */
export const eventsWaiting = ageGauge(
  'events_oldest_waiting_seconds',
  'Age of the oldest event in inbox_retries, which failed or waits behind one that did, as seen by the leader.',
);

/** 1 in the process that relays and handles the service's events, 0 in the standbys. */
export const eventsActive = once(
  'events_active',
  () =>
    new Gauge({
      name: 'events_active',
      help: 'Whether this process is the leader, which relays and handles the events of its service.',
    }),
);

/** Copies that JetStream keeps of the event stream; set by the leader of the stream's owner. */
export const streamReplicas = once(
  'event_stream_replicas',
  () =>
    new Gauge({
      name: 'event_stream_replicas',
      help: 'Copies that JetStream keeps of the event stream, as seen by its owner.',
    }),
);

/** How many copies `EVENT_STREAM_REPLICAS` wants beyond those, for which there are too few servers. */
export const streamReplicasMissing = once(
  'event_stream_replicas_missing',
  () =>
    new Gauge({
      name: 'event_stream_replicas_missing',
      help: 'Copies of the event stream that are wanted and for which NATS has too few servers.',
    }),
);

/** Copies of the event stream that are up to date, whose servers answer; set by the leader of the stream's owner. */
export const streamReplicasInSync = once(
  'event_stream_replicas_in_sync',
  () =>
    new Gauge({
      name: 'event_stream_replicas_in_sync',
      help: 'Copies of the event stream that are up to date, on servers that answer, as seen by its owner.',
    }),
);

/** Rows of `dead_letters` that nobody retried; 0 in the standbys. */
export const deadLettersWaiting = once(
  'dead_letters_waiting',
  () =>
    new Gauge({
      name: 'dead_letters_waiting',
      help: 'Events in dead_letters that were not retried with success, as seen by the leader once a minute.',
    }),
);

/** Rows of the outbox that are parked; 0 in the standbys. */
export const outboxParked = once(
  'outbox_parked',
  () =>
    new Gauge({
      name: 'outbox_parked',
      help: 'Events of the outbox that can never be published, as seen by the leader once a minute.',
    }),
);
