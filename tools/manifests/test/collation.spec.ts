import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspaceRoot } from '@mentorhub/local-system';
import { describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import type { KubernetesObject } from '../src/objects.js';
import { readRendering } from '../src/render.js';

interface Cluster extends KubernetesObject {
  spec: { bootstrap: { initdb: Record<string, unknown> } };
}

interface StatefulSet extends KubernetesObject {
  spec: { template: { spec: { containers: { env?: { name: string; value?: string }[] }[] } } };
}

/** The options with which the local system makes its databases. */
const options = [
  '--builtin-locale=C.UTF-8',
  '--encoding=UTF8',
  '--lc-ctype=C.UTF-8',
  '--locale-provider=builtin',
  '--locale=C',
];

const localeOptions = (text: string | undefined): string[] =>
  (text ?? '')
    .trim()
    .split(/\s+/)
    .filter((option) => /locale|^--lc-|encoding/.test(option))
    .toSorted();

const objectsOf = (overlay: string): readonly KubernetesObject[] =>
  inject('renderings')
    .map(readRendering)
    .find(({ folder }) => folder === `k8s/overlays/${overlay}`)!.objects;

describe('text in databases', () => {
  it('sorts in the clusters of production as in the local system', () => {
    const clusters = objectsOf('production').filter(({ kind }) => kind === 'Cluster') as Cluster[];
    expect(clusters).toHaveLength(5);
    for (const { metadata, spec } of clusters) {
      expect([metadata.name, spec.bootstrap.initdb]).toMatchObject([
        metadata.name,
        {
          builtinLocale: 'C.UTF-8',
          encoding: 'UTF8',
          locale: 'C',
          localeCType: 'C.UTF-8',
          localeCollate: 'C',
          localeProvider: 'builtin',
        },
      ]);
    }
  });

  it('sorts in the small overlay and in Docker Compose as in the local system', () => {
    const postgres = objectsOf('small').find(
      ({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === 'postgres',
    ) as StatefulSet;
    const variable = postgres.spec.template.spec.containers[0]?.env?.find(
      ({ name }) => name === 'POSTGRES_INITDB_ARGS',
    );
    expect(localeOptions(variable?.value)).toEqual(options);
    const text = readFileSync(join(workspaceRoot, 'docker-compose.yml'), 'utf8');
    const { services } = parse(text, { merge: true, logLevel: 'error' }) as {
      services: { postgres: { environment: Record<string, string> } };
    };
    expect(localeOptions(services.postgres.environment['POSTGRES_INITDB_ARGS'])).toEqual(options);
  });
});
