import { collectDefaultMetrics, register } from 'prom-client';

/** Reports memory, processor time and event-loop lag of this process; once, however often it is called. */
export function observeProcess(): void {
  if (!register.getSingleMetric('nodejs_eventloop_lag_seconds')) collectDefaultMetrics();
}
