import { Counter, Gauge, register } from 'prom-client';

/* A module may be loaded twice in one test process, hence the look-up before each registration. */
function once<M>(name: string, create: () => M): M {
  return (register.getSingleMetric(name) as M | undefined) ?? create();
}

export const connectionsOpen = once(
  'ws_connections',
  () => new Gauge({ name: 'ws_connections', help: 'Open WebSockets.' }),
);

export const framesIn = once(
  'ws_frames_in_total',
  () => new Counter({ name: 'ws_frames_in_total', help: 'Frames received from clients.' }),
);

export const framesOut = once(
  'ws_frames_out_total',
  () => new Counter({ name: 'ws_frames_out_total', help: 'Frames sent to clients.' }),
);

export const closes = once(
  'ws_closes_total',
  () =>
    new Counter({
      name: 'ws_closes_total',
      help: 'Closed WebSockets, by close code.',
      labelNames: ['code'] as const,
    }),
);

export const gapsFilled = once(
  'ws_gaps_filled_total',
  () =>
    new Counter({
      name: 'ws_gaps_filled_total',
      help: 'Times that frames a signal did not bring were read from an event log.',
    }),
);
