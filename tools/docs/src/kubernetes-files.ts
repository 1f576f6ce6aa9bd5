import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { workspaceRoot } from '@mentorhub/local-system';
import { natsServerFiles } from './nats-server-files.js';

/** Alerting rules as an object of the Prometheus Operator: the groups become its `spec`. */
function prometheusRule(name: string, source: string, rules: string): string {
  const groups = rules.slice(rules.search(/^groups:$/m));
  return `# Made by \`npm run docs\` from ${source}; a test keeps it current.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ${name}
  labels:
    app.kubernetes.io/part-of: mentorhub
spec:
${groups.replaceAll(/^(?=.)/gm, '  ')}`;
}

async function prometheusRuleOf(name: string, source: string): Promise<string> {
  return prometheusRule(name, source, await readFile(join(workspaceRoot, source), 'utf8'));
}

/**
 * Files of k8s that are made of others, by the path from the root of the workspace: kustomize reads only what is below its
 * own folders.
 */
export async function kubernetesFiles(): Promise<Record<string, string>> {
  const nats = natsServerFiles();
  const natsFile = (name: string): string => {
    const text = nats[`deploy/nats/${name}`];
    if (text === undefined) throw new Error(`deploy/nats/${name} is not made`);
    return text;
  };
  return {
    'k8s/components/nats-cluster/nats.conf': natsFile('cluster-tls.conf'),
    'k8s/components/nats-single/nats.conf': natsFile('single.conf'),
    'k8s/components/monitoring/prometheus-rule.yaml': await prometheusRuleOf(
      'mentorhub',
      'deploy/monitoring/alerts.yml',
    ),
    'k8s/components/cloudnative-pg/prometheus-rule.yaml': await prometheusRuleOf(
      'mentorhub-backups',
      'deploy/monitoring/backups.yml',
    ),
  };
}
