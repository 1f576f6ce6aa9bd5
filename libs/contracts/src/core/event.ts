/** A kind of fact, past tense: `<service>.<entity>.<verb>`. */
export interface EventContract<Data> {
  readonly type: `${string}.${string}.${string}`;
  /** NATS subject, `event.<type>`. */
  readonly subject: string;
  /** Raised when the meaning of `data` changes; added fields do not count. */
  readonly version: number;
  /** Carries the type; never set. */
  readonly shape?: Data;
}

/** An event as it travels and rests: the envelope around `data`. */
export interface EventEnvelope<Data = unknown> {
  /** UUIDv7; the same for every delivery of this event. */
  readonly id: string;
  readonly type: string;
  /** RFC 3339, UTC. */
  readonly occurred_at: string;
  /** Id of the entity the event is about; events of one aggregate arrive in order. */
  readonly aggregate_id: string;
  readonly version: number;
  /** W3C traceparent of the request that caused the event. */
  readonly trace?: string;
  readonly data: Data;
}

/** Declares an event. */
export function event<Data>(type: EventContract<Data>['type'], version = 1): EventContract<Data> {
  return { type, subject: `event.${type}`, version };
}
