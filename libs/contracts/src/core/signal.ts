/**
 * A signal: a broadcast on core NATS to the current listeners, and to nobody later. For what loses its worth within
 * seconds (a frame for an open socket, a revoked session); whatever must not be missed is an event or stored.
 */
export interface SignalContract<Data> {
  /** NATS subject, `signal.<topic>`; a `*` stands for the key that a publisher puts in. */
  readonly subject: string;
  /** Carries the type; never set. */
  readonly shape?: Data;
}

/** Declares a signal. */
export function signal<Data>(topic: string): SignalContract<Data> {
  return { subject: `signal.${topic}` };
}
