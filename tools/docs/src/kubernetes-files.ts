import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { workspaceRoot } from '@mentorhub/local-system';
import { natsServerFiles } from './nats-server-files.js';

const ruleHeader = `# Made by \`npm run docs\` from deploy/monitoring/alerts.yml; a test keeps it current.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: mentorhub
  labels:
    app.kubernetes.io/part-of: mentorhub
spec:
`;

/** The alerting rules as an object of the Prometheus Operator: the groups become its `spec`. */
function prometheusRule(alerts: string): string {
  const groups = alerts.slice(alerts.search(/^groups:$/m));
  return ruleHeader + groups.replaceAll(/^(?=.)/gm, '  ');
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
  const alerts = await readFile(join(workspaceRoot, 'deploy', 'monitoring', 'alerts.yml'), 'utf8');
  return {
    'k8s/components/nats-cluster/nats.conf': natsFile('cluster-tls.conf'),
    'k8s/components/nats-single/nats.conf': natsFile('single.conf'),
    'k8s/components/monitoring/prometheus-rule.yaml': prometheusRule(alerts),
  };
}
