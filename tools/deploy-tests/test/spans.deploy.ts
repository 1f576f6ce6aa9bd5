import { createServer, type Server } from 'node:http';
import { mkdtempSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { bundleApp } from '@mentorhub/bundle';
import { type AppName, isGateway, removeAfterwards, workspaceRoot } from '@mentorhub/local-system';
import { Actor, eventually, testDatabase, testNats } from '@mentorhub/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AppProcess } from '../src/app-process.js';
import { databaseSettings, freePorts, productionSettings } from '../src/app-settings.js';

interface Span {
  service: string;
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
}

interface Exported {
  resourceSpans: {
    resource: { attributes: { key: string; value: { stringValue?: string } }[] };
    scopeSpans: { spans: Omit<Span, 'service'>[] }[];
  }[];
}

/** Who takes the request, who carries it out and publishes an event, who handles that. */
const apps: readonly AppName[] = ['identity', 'chat', 'api-gateway'];

const temporary = mkdtempSync(join(tmpdir(), 'mentorhub-spans-'));
removeAfterwards(temporary);

let collector: Server;
let spans: Span[] = [];

function spansIn({ resourceSpans }: Exported): Span[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const name = resource.attributes.find(({ key }) => key === 'service.name');
    const service = name?.value.stringValue ?? '';
    return scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ ...span, service })));
  });
}

beforeAll(async () => {
  collector = createServer((request, response) => {
    void (async () => {
      spans.push(...spansIn((await json(request)) as Exported));
      response.setHeader('content-type', 'application/json').end('{}');
    })();
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  for (const app of apps) await bundleApp({ app, folder: join(temporary, app) });
});

afterAll(async () => {
  const closed = new Promise((resolve) => collector.close(resolve));
  collector.closeAllConnections();
  await closed;
});

/** The spans of a registration, each with those that it is part of, in the order of their names. */
async function spansOfRegistration(mainOf: (app: AppName) => string): Promise<string[]> {
  spans = [];
  const nats = await testNats();
  const databases = [];
  const running: AppProcess[] = [];
  try {
    for (const app of apps) {
      const database = isGateway(app) ? undefined : await testDatabase(`spans_${app}`);
      if (database) databases.push(database);
      const environment = {
        ...productionSettings,
        ...(await freePorts()),
        ...databaseSettings(app, database?.directUrl),
        NATS_URL: nats.url,
        RUN_MIGRATIONS: 'true',
        SHUTDOWN_DELAY_MS: '0',
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
      };
      const replica = new AppProcess({ app, name: app, file: mainOf(app), environment });
      running.push(replica);
      await replica.ready();
    }
    const visitor = new Actor(running.at(-1)!.url);
    await visitor.post('/api/v1/auth/register', {
      email: 'spans@deploy.example',
      password: 'a long password for tracing',
      full_name: 'Spans',
      role: 'student',
    });
    const ofEvent = await eventually(
      'the event to be handled',
      () =>
        spans.find(({ service, name }) => service === 'chat' && name.includes('user.registered')),
      30_000,
    );
    // What is not sent yet is sent at the end.
    for (const replica of running.toReversed()) expect(await replica.stop()).toBe(0);
    const trace = spans.filter(({ traceId }) => traceId === ofEvent.traceId);
    const pathOf = (span: Span): string => {
      const parent = trace.find(({ spanId }) => spanId === span.parentSpanId);
      // Spans of queries name the database, which each run has made anew.
      const name = span.name.replace(/_[\da-f]{12}$/, '');
      return `${parent ? `${pathOf(parent)} > ` : ''}${span.service}: ${name} (${span.kind})`;
    };
    return trace.map(pathOf).toSorted();
  } finally {
    for (const replica of running) replica.signal('SIGKILL');
    for (const database of databases) await database.drop();
    await nats.stop();
  }
}

it('a bundled app makes the same spans of a request and its event as its compiled files', async () => {
  const plain = await spansOfRegistration((app) =>
    join(workspaceRoot, 'apps', app, 'dist', 'main.js'),
  );
  const bundled = await spansOfRegistration((app) => join(temporary, app, 'main.js'));
  expect(bundled).toEqual(plain);
  for (const app of apps) expect(plain.some((path) => path.includes(`${app}: `))).toBe(true);
});
