import type { ApplicationError } from '@mentorhub/contracts';

/** How to reach NATS. */
export interface NatsConnectionSettings {
  /**
   * `nats://host:port`, or `tls://host:port` to refuse a server without TLS or with a certificate for another name;
   * several for a cluster. One address with `tls://` has all of them need TLS.
   */
  servers: string | string[];
  user?: string;
  pass?: string;
  /** The seed of the app's NKey (`SU…`), instead of a user and a password. */
  nkeySeed?: string;
  /**
   * Path of the certificates, as PEM, of the authorities that may vouch for the servers; read for every connection. Default:
   * those that Node knows.
   */
  caFile?: string;
}

/** What every app says about its messaging. */
export interface MessagingOptions {
  /** Name of the app: queue group, consumer name, connection name and inbox prefix. */
  service: string;
  connection: NatsConnectionSettings;
  /** How long the start waits for NATS before it fails, in milliseconds. Default 30000. */
  connectTimeoutMs?: number;
}

/** Turns an error the handlers did not expect into one the caller may see; `undefined` leaves it internal. */
export type ErrorClassifier = (error: unknown) => ApplicationError | undefined;

/** Tuning of a service. Every default fits production; tests shorten the times. */
export interface ServiceMessagingOptions {
  /** Recognises errors such as a lost database connection. Default: none. */
  classify?: ErrorClassifier;
  /**
   * Where the connection that holds the leader lock goes: the database itself, past a pooler. Default: the URL of the
   * data source.
   */
  directDatabaseUrl?: string;
  /** Requests handled at once by this process; further ones are answered `OVERLOADED`. Default 512. */
  maxInFlight?: number;
  /** How long the shutdown waits for requests and events in flight, in milliseconds. Default 15000. */
  drainTimeoutMs?: number;
  /** Waits before each retry of a failed event, in milliseconds. Default 1 s, 5 s, 30 s, 2 min, 10 min. */
  retryDelaysMs?: readonly number[];
  /** After how long an unacknowledged event is delivered again, in milliseconds. Default 10000. */
  ackWaitMs?: number;
  /** Events handled in one transaction at most. Default 64. */
  eventBatchSize?: number;
  /** How often a standby asks for the leader lock, and the relay tries on after a failure, in milliseconds. Default 1000. */
  pollIntervalMs?: number;
  /** Rows the relay publishes in one go. Default 500. */
  relayBatchSize?: number;
  /** How far back events are published again once the stream has been lost, in milliseconds. Default 24 h. */
  republishHorizonMs?: number;
  /**
   * Copies of the stream that a NATS cluster keeps at least; what its owner, identity, says counts. A stream that has more
   * keeps them. Default 1.
   */
  streamReplicas?: number;
  /**
   * Most bytes that the stream keeps; what its owner says counts. When they are used up, events wait in the outboxes.
   * Default 8 GiB.
   */
  streamMaxBytes?: number;
  /** For how many days dead letters stay after they were retried. Those that wait for a retry stay. Default 30. */
  deadLetterDays?: number;
  /** Whether this process may relay and handle events. Default true. */
  events?: boolean;
}
