import { glob, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as contracts from '@mentorhub/contracts';
import { appNames } from '@mentorhub/local-system';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
const services = appNames.filter((app) => !app.endsWith('-gateway'));

/** What NATS lets each service listen to. By its path, as this project is none of those that may use messaging. */
const { eventSources } = (await import(join(root, 'libs/messaging/src/nats-permissions.ts'))) as {
  eventSources: Record<string, string[]>;
};

/** The folder of an app and those of the workspace's libraries that it uses. */
async function foldersOf(app: string): Promise<string[]> {
  const manifest = await readFile(join(root, 'apps', app, 'package.json'), 'utf8');
  const { dependencies } = JSON.parse(manifest) as { dependencies: Record<string, string> };
  const libraries = Object.keys(dependencies).filter((name) => name.startsWith('@mentorhub/'));
  return [`apps/${app}`, ...libraries.map((name) => name.replace('@mentorhub/', 'libs/'))];
}

/** The service whose event a contract is about: the contracts go by the names they have in `@mentorhub/contracts`. */
function sourceOf(name: string): string {
  const contract: unknown = Object.entries(contracts).find(([key]) => key === name)?.[1];
  const subject = (contract as { subject?: string } | undefined)?.subject;
  const source = /^event\.([^.]+)\./.exec(subject ?? '')?.[1];
  if (source === undefined) throw new Error(`@OnEvent(${name}): the contracts have no such event.`);
  return source;
}

/** The services other than itself whose events a service has handlers of. */
async function handledSources(service: string): Promise<Set<string>> {
  const sources = new Set<string>();
  for (const folder of await foldersOf(service)) {
    for await (const file of glob(`${folder}/src/**/*.ts`, { cwd: root })) {
      const text = await readFile(join(root, file), 'utf8');
      for (const [, events = ''] of text.matchAll(
        /^\s*@OnEvent(?:Batch)?\(\s*(\[[^\]]*\]|\w+)/gm,
      )) {
        for (const [name] of events.matchAll(/\w+/g)) sources.add(sourceOf(name));
      }
    }
  }
  sources.delete(service);
  return sources;
}

describe('the permissions on NATS', () => {
  it('know every service', () => {
    expect(Object.keys(eventSources).toSorted()).toEqual(services.toSorted());
  });

  it.each(services)('let %s have the events it handles, and no others', async (service) => {
    const handled = [...(await handledSources(service))].toSorted();
    expect(eventSources[service]?.toSorted()).toEqual(handled);
  });
});
