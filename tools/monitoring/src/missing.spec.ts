import { describe, expect, it } from 'vitest';
import { readExposition } from './exposition.js';
import { missingFrom } from './missing.js';

const expositions = new Map([
  [
    'chat',
    readExposition(`
# HELP rpc_requests_total Requests.
# TYPE rpc_requests_total counter
rpc_requests_total{side="server",subject="rpc.chat.a",code="OK"} 1
# HELP events_dead_total Events.
# TYPE events_dead_total counter
# HELP lag Lag.
# TYPE lag histogram
lag_bucket{le="1",handler="h{a}, \\"b\\""} 1
lag_sum{handler="h"} 1
lag_count{handler="h"} 1
`),
  ],
]);

const missing = (expr: string, ...templates: string[]): string[] =>
  missingFrom(expositions, [{ where: 'X', expr, templates }]);

describe('what the apps lack', () => {
  it.each([
    'rpc_requests_total',
    'sum by (app, subject) (rate(rpc_requests_total{side="server", code=~"INTERNAL|OK"}[5m]))',
    'events_dead_total',
    'histogram_quantile(0.9, sum by (le, handler) (rate(lag_bucket{instance="a"}[1m])))',
    'lag_sum / on (handler) lag_count and on (app) up{job="mentorhub"} == 1',
    'rpc_requests_total{code="INTERNAL"}',
  ])('is nothing for %s', (expr) => {
    expect(missing(expr, '{{ $labels.app }} {{ $value | humanize }} {{instance}}')).toEqual([]);
  });

  it.each([
    ['rpc_request_total', 'X: no app has the metric rpc_request_total'],
    ['rpc_requests_total{sid="server"}', 'X: rpc_requests_total has no label sid'],
    ['rpc_requests_total{side="sever"}', 'X: rpc_requests_total has no side="sever"'],
    ['sum by (route) (rpc_requests_total)', 'X: rpc_requests_total has no label route'],
    ['lag_sum / on (subject) lag_count', 'X: lag_sum has no label subject'],
    ['rpc_requests_total{app="identity"}', 'X: identity has no metric rpc_requests_total'],
    ['events_dead_total{handler="h"}', 'X: events_dead_total has no label handler'],
  ])('is found in %s', (expr, problem) => {
    expect(missing(expr)).toContain(problem);
  });

  it.each(['{{ $labels.route }} fails', '{{route}}'])('is found in the text %s', (text) => {
    expect(missing('lag_sum', text)).toEqual([
      'X: no metric of it has the label route of its text',
    ]);
  });

  it.each(['sum(', 'rate(lag_sum[5m]', '{__name__="lag_sum"}'])(
    'cannot be said about %s, which is refused',
    (expr) => {
      expect(() => missing(expr)).toThrow(expr);
    },
  );
});
