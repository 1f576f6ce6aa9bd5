import { glob, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as contracts from '@mentorhub/contracts';
import { appNames } from '@mentorhub/local-system';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
const services = appNames.filter((app) => !app.endsWith('-gateway'));

/** What NATS lets each app do. By its path, as this project is none of those that may use messaging. */
const { eventFilters, requestsOf } = (await import(
  join(root, 'libs/messaging/src/nats-permissions.ts')
)) as {
  eventFilters: Record<string, Record<string, string>>;
  requestsOf: (app: string) => string[];
};

/** The source files of an app and of those of the workspace's libraries that it uses, without those of the machinery. */
async function sourcesOf(app: string): Promise<string[]> {
  const manifest = await readFile(join(root, 'apps', app, 'package.json'), 'utf8');
  const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
  const libraries = Object.keys(dependencies)
    .filter((name) => name.startsWith('@mentorhub/'))
    .map((name) => name.replace('@mentorhub/', 'libs/'))
    .filter((folder) => !['libs/contracts', 'libs/messaging', 'libs/service-kit'].includes(folder));
  const texts: string[] = [];
  for (const folder of [`apps/${app}`, ...libraries]) {
    for await (const file of glob(`${folder}/src/**/*.ts`, { cwd: root })) {
      if (!file.endsWith('.spec.ts')) texts.push(await readFile(join(root, file), 'utf8'));
    }
  }
  return texts;
}

function subjectOf(contract: unknown): string | undefined {
  return (contract as { subject?: string } | undefined)?.subject;
}

/** The subject of an event by the name of its contract in `@mentorhub/contracts`. */
function eventSubject(name: string): string {
  const subject = subjectOf(Object.entries(contracts).find(([key]) => key === name)?.[1]);
  if (subject?.startsWith('event.')) return subject;
  throw new Error(`@OnEvent(${name}): the contracts have no such event.`);
}

/** The subjects of other services' events that a service has handlers of. */
async function handledEvents(service: string): Promise<Set<string>> {
  const subjects = new Set<string>();
  for (const text of await sourcesOf(service)) {
    for (const [, events = ''] of text.matchAll(/^\s*@OnEvent(?:Batch)?\(\s*(\[[^\]]*\]|\w+)/gm)) {
      for (const [name] of events.matchAll(/\w+/g)) subjects.add(eventSubject(name));
    }
  }
  return subjects;
}

/** The narrowest filter of one consumer that brings all of these subjects of one service. */
function narrowestFilter(subjects: readonly string[]): string {
  const [first = ''] = subjects;
  if (subjects.length === 1) return first;
  const entities = new Set(subjects.map((subject) => subject.split('.').slice(0, 3).join('.')));
  const [entity = ''] = entities;
  return entities.size === 1 ? `${entity}.*` : `${entity.split('.').slice(0, 2).join('.')}.>`;
}

/** Requests by the name that code has for them, such as `Sessions.list`. */
function requestNames(): Map<string, string> {
  const names = new Map<string, string>();
  for (const [group, members] of Object.entries(contracts as Record<string, unknown>)) {
    if (typeof members !== 'object' || members === null) continue;
    for (const [name, contract] of Object.entries(members)) {
      const subject = subjectOf(contract);
      if (subject?.startsWith('rpc.')) names.set(`${group}.${name}`, subject);
    }
  }
  return names;
}

/** What operators send to every service, by way of the api-gateway. */
const operatorRequests = services.flatMap((service) => {
  const { deadLetters, health, outbox } = contracts.operations(service);
  return [deadLetters.list, deadLetters.retry, health.check, outbox.republish].map(
    ({ subject }) => subject,
  );
});

/** What the export of personal data asks every service, by way of the api-gateway. */
const exportRequests = contracts.personalDataServices.map(
  (service) => contracts.personalData(service).collect.subject,
);

/** The requests that the code of an app names, other than to handle them. */
async function sentRequests(app: string): Promise<Set<string>> {
  const sent = new Set(app === 'api-gateway' ? [...operatorRequests, ...exportRequests] : []);
  const texts = await sourcesOf(app);
  for (const [name, subject] of requestNames()) {
    const used = new RegExp(`(?<!@Handle\\(\\s*)(?<![\\w.])${name.replace('.', '\\.')}(?!\\w)`);
    if (texts.some((text) => used.test(text))) sent.add(subject);
  }
  return sent;
}

describe('the permissions on NATS', () => {
  it('know every service', () => {
    expect(Object.keys(eventFilters).toSorted()).toEqual(services.toSorted());
  });

  it.each(services)(
    'let %s read the events it handles, and as few others as can be',
    async (service) => {
      const subjects = Map.groupBy(
        await handledEvents(service),
        (subject) => subject.split('.')[1],
      );
      const filters = [...subjects].map(([source, handled]) => [source, narrowestFilter(handled)]);
      expect(eventFilters[service]).toEqual(Object.fromEntries(filters));
    },
  );

  it.each(appNames)('let %s send the requests that it sends, and no others', async (app) => {
    expect(requestsOf(app).toSorted()).toEqual([...(await sentRequests(app))].toSorted());
  });
});
