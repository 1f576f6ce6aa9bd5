export interface Tracing {
  /** Sends what is left, within 2 s, and stops. */
  stop(): Promise<void>;
}
