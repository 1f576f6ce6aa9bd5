import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { appNames, workspaceRoot } from '@mentorhub/local-system';
import { type DatabaseSchema, withDirectDatabase } from '@mentorhub/persistence';
import { testDatabase } from '@mentorhub/testing';
import { describe, expect, it } from 'vitest';
import { baseline } from '../src/baseline.js';
import { inspectMigrations, nameOf } from '../src/inspect.js';
import { releasedVersions } from '../src/releases.js';

const services = appNames.filter((app) => !app.endsWith('-gateway'));

/** By its path, as no project may import a service. */
async function schemaOf(service: string): Promise<DatabaseSchema> {
  const { schema } = (await import(join(workspaceRoot, 'apps', service, 'src/schema.ts'))) as {
    schema: DatabaseSchema;
  };
  return schema;
}

describe('the migrations', () => {
  it('of the first release are known for every service', () => {
    expect(Object.keys(baseline).toSorted()).toEqual(services.toSorted());
  });

  it.each(services)('of %s let the processes of the release before work on', async (service) => {
    const schema = await schemaOf(service);
    const database = await testDatabase(`expand_${service}`);
    try {
      const settings = { ...schema, url: database.directUrl };
      await withDirectDatabase(settings, async (dataSource) => {
        const names = new Set(dataSource.migrations.map(nameOf));
        expect(baseline[service]?.filter((name) => !names.has(name))).toEqual([]);
        const findings = await inspectMigrations(dataSource, {
          baseline: baseline[service],
          releases: releasedVersions(await readFile(join(workspaceRoot, 'CHANGELOG.md'), 'utf8')),
        });
        expect(findings.map(({ message }) => message)).toEqual([]);
      });
    } finally {
      await database.drop();
    }
  });
});
