import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { appNames, type AppName, type System, workspaceRoot } from '@mentorhub/local-system';
import {
  type Exposition,
  missingFrom,
  readAlerts,
  readDashboards,
  readExposition,
  withoutVariables,
} from '@mentorhub/monitoring';
import { ActorSocket, eventually } from '@mentorhub/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { story } from '../src/story.js';
import { admin, startedSystem } from './started-system.js';

/** What the running apps expose, once the story has counted something on most of it. */
describe('the monitoring', () => {
  let system: System;
  let stop: () => Promise<void>;
  let expositions: ReadonlyMap<AppName, Exposition>;

  beforeAll(async () => {
    ({ system, stop } = await startedSystem());
    for (const { play } of story({ baseUrl: system.urls.edge, admin })) await play();
    const passerBy = await ActorSocket.open(
      `${system.urls.edge.replace(/^http/, 'ws')}/ws/chat`,
      'passer-by',
    );
    passerBy.close();
    await eventually('the closed socket to be counted', async () => {
      const closes = (await exposed('chat-gateway')).get('ws_closes_total') ?? [];
      return closes.length > 0 ? closes : undefined;
    });
    expositions = new Map(
      await Promise.all(appNames.map(async (app) => [app, await exposed(app)] as const)),
    );
  }, 240_000);

  afterAll(() => stop());

  async function exposed(app: AppName): Promise<Exposition> {
    const { managementPort } = system.apps(app)[0]!;
    const answer = await fetch(`http://127.0.0.1:${managementPort}/metrics`);
    return readExposition(await answer.text());
  }

  it('alerts on metrics and labels that the apps have', async () => {
    const uses = (await readAlerts()).map(({ alert, expr, annotations }) => ({
      where: alert,
      expr,
      templates: [annotations.summary, annotations.description],
    }));
    expect(uses).not.toEqual([]);
    expect(missingFrom(expositions, uses)).toEqual([]);
  });

  it('shows metrics and labels on the dashboards that the apps have', async () => {
    const uses = [...(await readDashboards())].flatMap(([app, { panels }]) =>
      panels.flatMap(({ title, targets = [] }) =>
        targets.map(({ expr, legendFormat }) => ({
          where: `${app}, ${title}`,
          expr: withoutVariables(expr),
          templates: [legendFormat],
        })),
      ),
    );
    expect(uses).not.toEqual([]);
    expect(missingFrom(expositions, uses)).toEqual([]);
  });

  it('has every metric of the project in docs/monitoring.md, and no other', async () => {
    const text = await readFile(join(workspaceRoot, 'docs/monitoring.md'), 'utf8');
    const [, tables = ''] = text.split(/^## (?:Metrics|Alerts)$/m);
    const documented = [...tables.matchAll(/^\|(.*?)\|/gm)].flatMap(([, cell]) =>
      [...cell!.matchAll(/`([a-z_]+)(?:\{[a-z,]+\})?`/g)].map(([, name]) => name!),
    );
    const names = [...expositions.values()]
      .flatMap((exposition) => [...exposition.keys()])
      .filter((name) => !/^(?:process|nodejs)_/.test(name))
      .map((name) => name.replace(/_seconds_(?:bucket|sum|count)$/, '_seconds'));
    expect(documented.toSorted()).toEqual([...new Set(names)].toSorted());
  });

  it('finds the metric of the leader in every service, and in no gateway', () => {
    const withLeaderMetric = [...expositions].filter(([, exposition]) =>
      exposition.has('events_active'),
    );
    expect(withLeaderMetric.map(([app]) => app)).toEqual(
      appNames.filter((app) => !app.endsWith('-gateway')),
    );
  });
});
