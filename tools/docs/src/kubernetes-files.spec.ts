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

it('the rules for the Prometheus Operator have every alert of deploy/monitoring/alerts.yml', async () => {
  const alerts = await readFile(join(workspaceRoot, 'deploy/monitoring/alerts.yml'), 'utf8');
  const rule = files['k8s/components/monitoring/prometheus-rule.yaml'] ?? '';
  expect(namesIn(rule)).toEqual(namesIn(alerts));
  expect(namesIn(rule).length).toBeGreaterThan(10);
});
