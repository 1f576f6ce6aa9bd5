import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { workspaceRoot } from '@mentorhub/local-system';
import { expect, it } from 'vitest';
import { kubernetesFiles } from './kubernetes-files.js';

const files = await kubernetesFiles();

function namesIn(rules: string): string[] {
  return [...rules.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name);
}

it.each(Object.keys(files))('%s says what its source does; else run npm run docs', async (path) => {
  expect(await readFile(join(workspaceRoot, path), 'utf8')).toBe(files[path]);
});

it.each([
  ['k8s/components/monitoring/prometheus-rule.yaml', 'deploy/monitoring/alerts.yml'],
  ['k8s/components/cloudnative-pg/prometheus-rule.yaml', 'deploy/monitoring/backups.yml'],
])('%s has every alert of %s', async (path, source) => {
  const alerts = await readFile(join(workspaceRoot, source), 'utf8');
  const rule = files[path] ?? '';
  expect(namesIn(rule)).toEqual(namesIn(alerts));
  expect(namesIn(rule)).not.toEqual([]);
});
