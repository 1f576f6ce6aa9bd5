import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AppName, appNames } from '@mentorhub/local-system';
import { format } from 'prettier';
import { dashboardsFolder } from './paths.js';

interface Query {
  expr: string;
  legendFormat: string;
}

/** What a panel shows. */
interface Graph {
  title: string;
  description: string;
  /** A unit of Grafana: `short`, `s`, `bytes`, `reqps`, `percentunit`. */
  unit: string;
  queries: Query[];
}

interface Section {
  title: string;
  graphs: Graph[];
}

interface Target {
  expr: string;
  legendFormat: string;
  refId: string;
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  targets?: Target[];
}

export interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
}

const WIDTH = 8;
const HEIGHT = 8;
const PANELS_PER_ROW = 3;

/** The quantiles of a histogram's buckets, by a label. */
function quantiles(metric: string, by: string, matchers: string): Query[] {
  return ['0.5', '0.95', '0.99'].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (${by}, le) (rate(${metric}{${matchers}}[$__rate_interval])))`,
    legendFormat: `{{${by}}} p${Number(quantile) * 100}`,
  }));
}

/** The sections of an app's dashboard; `$instance` is Grafana's variable. */
function sectionsOf(app: AppName): Section[] {
  const here = `app="${app}", instance=~"$instance"`;
  const one = (title: string, description: string, unit: string, metric: string): Graph => ({
    title,
    description,
    unit,
    queries: [{ expr: `${metric}{${here}}`, legendFormat: '{{instance}}' }],
  });
  const process: Section = {
    title: 'Process',
    graphs: [
      one('Serving', '1 while the process takes work.', 'short', 'app_serving'),
      {
        title: 'Uptime',
        description: 'Seconds since the process started.',
        unit: 's',
        queries: [
          {
            expr: `time() - process_start_time_seconds{${here}}`,
            legendFormat: '{{instance}}',
          },
        ],
      },
      one('Resident memory', 'RSS of the process.', 'bytes', 'process_resident_memory_bytes'),
      {
        title: 'Processor',
        description: 'Cores that the process uses.',
        unit: 'short',
        queries: [
          {
            expr: `rate(process_cpu_seconds_total{${here}}[$__rate_interval])`,
            legendFormat: '{{instance}}',
          },
        ],
      },
      one(
        'Event-loop lag, p99',
        'How long the event loop is blocked.',
        's',
        'nodejs_eventloop_lag_p99_seconds',
      ),
      one('NATS', '1 while the connection is there.', 'short', 'nats_connected'),
    ],
  };
  const http: Section = {
    title: 'HTTP',
    graphs: [
      {
        title: 'Requests by route',
        description: 'Per second.',
        unit: 'reqps',
        queries: [
          {
            expr: `sum by (method, route) (rate(http_requests_total{${here}}[$__rate_interval]))`,
            legendFormat: '{{method}} {{route}}',
          },
        ],
      },
      {
        title: 'Answers by status',
        description: 'Per second.',
        unit: 'reqps',
        queries: [
          {
            expr: `sum by (status) (rate(http_requests_total{${here}}[$__rate_interval]))`,
            legendFormat: '{{status}}',
          },
        ],
      },
      {
        title: 'Failed requests by route',
        description: 'Share of the answers that have a status of 500 and more.',
        unit: 'percentunit',
        queries: [
          {
            expr: `sum by (route) (rate(http_requests_total{${here}, status=~"5.."}[$__rate_interval])) / sum by (route) (rate(http_requests_total{${here}}[$__rate_interval]))`,
            legendFormat: '{{route}}',
          },
        ],
      },
      {
        title: 'Latency by route',
        description: 'From the arrival of a request to the end of its answer.',
        unit: 's',
        queries: quantiles('http_request_duration_seconds_bucket', 'route', here),
      },
    ],
  };
  const requests = (side: 'client' | 'server'): Section => {
    const matchers = `${here}, side="${side}"`;
    return {
      title: side === 'client' ? 'Requests sent over NATS' : 'Requests answered over NATS',
      graphs: [
        {
          title: 'By subject',
          description: 'Per second.',
          unit: 'reqps',
          queries: [
            {
              expr: `sum by (subject) (rate(rpc_requests_total{${matchers}}[$__rate_interval]))`,
              legendFormat: '{{subject}}',
            },
          ],
        },
        {
          title: 'By code',
          description: 'Per second; OK or the code of the error.',
          unit: 'reqps',
          queries: [
            {
              expr: `sum by (code) (rate(rpc_requests_total{${matchers}}[$__rate_interval]))`,
              legendFormat: '{{code}}',
            },
          ],
        },
        {
          title: 'Latency by subject',
          description: 'From the arrival, or from the sending, to the answer.',
          unit: 's',
          queries: quantiles('rpc_request_duration_seconds_bucket', 'subject', matchers),
        },
      ],
    };
  };
  if (app === 'api-gateway') return [http, requests('client'), process];
  if (app === 'chat-gateway') {
    return [
      {
        title: 'WebSockets',
        graphs: [
          one('Connections', 'Open WebSockets.', 'short', 'ws_connections'),
          {
            title: 'Frames',
            description: 'Per second.',
            unit: 'short',
            queries: [
              {
                expr: `sum(rate(ws_frames_in_total{${here}}[$__rate_interval]))`,
                legendFormat: 'received',
              },
              {
                expr: `sum(rate(ws_frames_out_total{${here}}[$__rate_interval]))`,
                legendFormat: 'sent',
              },
            ],
          },
          {
            title: 'Closes by code',
            description: 'Per second; docs/realtime.md has the codes.',
            unit: 'short',
            queries: [
              {
                expr: `sum by (code) (rate(ws_closes_total{${here}}[$__rate_interval]))`,
                legendFormat: '{{code}}',
              },
            ],
          },
          {
            title: 'Gaps filled',
            description: 'Per second: frames that a signal did not bring and an event log did.',
            unit: 'short',
            queries: [
              {
                expr: `sum(rate(ws_gaps_filled_total{${here}}[$__rate_interval]))`,
                legendFormat: 'gaps',
              },
            ],
          },
        ],
      },
      requests('client'),
      process,
    ];
  }
  const database: Section = {
    title: 'Database',
    graphs: [
      one('Up', '1 while the database answers.', 'short', 'db_up'),
      {
        title: 'Connections',
        description: 'Of the pool.',
        unit: 'short',
        queries: [
          { expr: `sum(db_pool_total{${here}})`, legendFormat: 'open' },
          { expr: `sum(db_pool_idle{${here}})`, legendFormat: 'idle' },
        ],
      },
      one('Callers that wait', 'For a connection of the pool.', 'short', 'db_pool_waiting'),
    ],
  };
  const copies: Graph = {
    title: 'Copies of the event stream',
    description: 'As seen by the leader, which this service is for the stream.',
    unit: 'short',
    queries: [
      { expr: `max(event_stream_replicas{${here}})`, legendFormat: 'configured' },
      { expr: `max(event_stream_replicas_in_sync{${here}})`, legendFormat: 'in sync' },
      { expr: `max(event_stream_replicas_missing{${here}})`, legendFormat: 'missing' },
    ],
  };
  const events: Section = {
    title: 'Events',
    graphs: [
      one('Leader', '1 in the process that relays and handles events.', 'short', 'events_active'),
      {
        title: 'Oldest event that waits',
        description: 'In the outbox for NATS, and in inbox_retries for another attempt.',
        unit: 's',
        queries: [
          { expr: `max(outbox_oldest_unpublished_seconds{${here}})`, legendFormat: 'outbox' },
          { expr: `max(events_oldest_waiting_seconds{${here}})`, legendFormat: 'inbox_retries' },
        ],
      },
      {
        title: 'Waiting for an operator',
        description: 'Dead letters and parked events.',
        unit: 'short',
        queries: [
          { expr: `max(dead_letters_waiting{${here}})`, legendFormat: 'dead letters' },
          { expr: `max(outbox_parked{${here}})`, legendFormat: 'parked' },
        ],
      },
      {
        title: 'Published by type',
        description: 'Per second.',
        unit: 'short',
        queries: [
          {
            expr: `sum by (type) (rate(events_published_total{${here}}[$__rate_interval]))`,
            legendFormat: '{{type}}',
          },
        ],
      },
      {
        title: 'Handled by handler',
        description: 'Per second.',
        unit: 'short',
        queries: [
          {
            expr: `sum by (handler) (rate(events_handled_total{${here}}[$__rate_interval]))`,
            legendFormat: '{{handler}}',
          },
        ],
      },
      {
        title: 'Lag of handlers',
        description: 'From an event to the commit of its effect.',
        unit: 's',
        queries: quantiles('events_lag_seconds_bucket', 'handler', here),
      },
      {
        title: 'Failed attempts',
        description:
          'Per second: those that are repeated, and those after which a handler gave up.',
        unit: 'short',
        queries: [
          {
            expr: `sum(rate(events_retried_total{${here}}[$__rate_interval]))`,
            legendFormat: 'repeated',
          },
          { expr: `sum(rate(events_dead_total{${here}}[$__rate_interval]))`, legendFormat: 'dead' },
        ],
      },
      ...(app === 'identity' ? [copies] : []),
    ],
  };
  return [requests('server'), events, database, process];
}

function dashboardOf(app: AppName): unknown {
  const datasource = { type: 'prometheus', uid: '${datasource}' };
  const panels: unknown[] = [];
  let y = 0;
  let id = 1;
  for (const { title, graphs } of sectionsOf(app)) {
    panels.push({
      id: id++,
      type: 'row',
      title,
      collapsed: false,
      gridPos: { h: 1, w: WIDTH * PANELS_PER_ROW, x: 0, y: y++ },
      panels: [],
    });
    for (const [index, graph] of graphs.entries()) {
      const column = index % PANELS_PER_ROW;
      panels.push({
        id: id++,
        type: 'timeseries',
        title: graph.title,
        description: graph.description,
        datasource,
        gridPos: { h: HEIGHT, w: WIDTH, x: column * WIDTH, y },
        fieldConfig: {
          defaults: {
            unit: graph.unit,
            min: 0,
            custom: { drawStyle: 'line', lineWidth: 1, fillOpacity: 10, showPoints: 'never' },
          },
          overrides: [],
        },
        options: {
          legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
          tooltip: { mode: 'multi', sort: 'desc' },
        },
        targets: graph.queries.map((query, number) => ({
          refId: String.fromCharCode(65 + number),
          datasource,
          ...query,
        })),
      });
      if (column === PANELS_PER_ROW - 1 || index === graphs.length - 1) y += HEIGHT;
    }
  }
  return {
    uid: `mentorhub-${app}`,
    title: `MentorHub: ${app}`,
    tags: ['mentorhub'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: {
      list: [
        {
          name: 'datasource',
          label: 'Data source',
          type: 'datasource',
          query: 'prometheus',
        },
        {
          name: 'instance',
          label: 'Instance',
          type: 'query',
          datasource,
          query: `label_values(process_start_time_seconds{app="${app}"}, instance)`,
          refresh: 2,
          includeAll: true,
          allValue: '.*',
          multi: true,
          current: { text: 'All', value: '$__all' },
        },
      ],
    },
    panels,
  };
}

/** The file of every dashboard, by its name. */
export async function dashboardFiles(): Promise<Map<string, string>> {
  return new Map(
    await Promise.all(
      appNames.map(async (app) => {
        const text = await format(JSON.stringify(dashboardOf(app)), {
          parser: 'json',
          printWidth: 100,
        });
        return [`${app}.json`, text] as const;
      }),
    ),
  );
}

/** The dashboards as they are committed, by app. */
export async function readDashboards(): Promise<Map<string, Dashboard>> {
  const files = (await readdir(dashboardsFolder)).filter((file) => file.endsWith('.json'));
  return new Map(
    await Promise.all(
      files.map(async (file) => {
        const text = await readFile(join(dashboardsFolder, file), 'utf8');
        return [file.replace(/\.json$/, ''), JSON.parse(text) as Dashboard] as const;
      }),
    ),
  );
}

/** A query with Grafana's variables filled in, as it reaches Prometheus. */
export function withoutVariables(expr: string): string {
  return expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*');
}
