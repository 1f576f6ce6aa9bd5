import { databaseAddresses, databaseServer, type DatabaseServer } from '../databases.js';
import { type Fault, fault } from '../finding.js';
import type { KubernetesObject } from '../objects.js';
import { type Workload, workloadsOf } from '../workloads.js';
import { autoscalersOf } from './autoscaling.js';
import { appOf, readConfiguration } from './configuration.js';
import type { Rule, Subject } from './rule.js';

/** Of each process, beside its pool: the lock of the leader and the sign of life. */
const besidePool = 2;

/** Of each server: migrations, backups, replication, a person with psql. */
const ofOthers = 10;

/** How many pods a workload may have, and where that is said. */
export function mostPods(
  objects: readonly KubernetesObject[],
  { object }: Workload,
): { pods: number; object: KubernetesObject; path: string[] } {
  const [scaler] = autoscalersOf(objects, object);
  if (!scaler) {
    const { replicas = 1 } = object['spec'] as { replicas?: number };
    return { pods: replicas, object, path: ['spec', 'replicas'] };
  }
  // What KEDA takes without a number.
  const { maxReplicas, maxReplicaCount = 100 } = scaler['spec'] as Record<string, number>;
  return {
    pods: maxReplicas ?? maxReplicaCount,
    object: scaler,
    path: ['spec', maxReplicas === undefined ? 'maxReplicaCount' : 'maxReplicas'],
  };
}

/** All processes of a service at once, with full pools, are fewer connections than its server takes. */
export const connectionBudget: Rule = (subject) => {
  const faults: Fault[] = [];
  const servers = new Map<
    string,
    { server: DatabaseServer; wanted: { text: string; count: number }[] }
  >();
  for (const each of services(subject)) {
    const { workload, app, poolSize } = each;
    // What cannot be resolved is what another rule is about.
    const address = databaseAddresses(subject, workload, app).find(
      ({ variable, initial }) => variable === 'DATABASE_URL' && !initial,
    );
    const server = databaseServer(subject.overlay, URL.parse(address?.text ?? '')?.hostname ?? '');
    if (!server) continue;
    const { pods } = mostPods(subject.objects, workload);
    const entry = servers.get(server.object.metadata.name) ?? { server, wanted: [] };
    servers.set(server.object.metadata.name, entry);
    entry.wanted.push({
      text: `${app.name} ${pods} × (${poolSize} + ${besidePool})`,
      count: pods * (poolSize + besidePool),
    });
  }
  for (const { server, wanted } of servers.values()) {
    const total = wanted.reduce((sum, { count }) => sum + count, ofOthers);
    if (total <= server.maxConnections) continue;
    faults.push(
      fault(
        server.object,
        server.path,
        `It takes ${server.maxConnections} connections, and ${total} may be wanted: ${wanted.map(({ text }) => text).join(' + ')} + ${ofOthers}.`,
        `Raise max_connections to at least ${total}, or lower DATABASE_POOL_SIZE or the greatest number of replicas.`,
      ),
    );
  }
  return faults;
};

function services(subject: Subject) {
  return workloadsOf(subject.objects).flatMap((workload) => {
    const app = appOf(workload, subject);
    const config = app && readConfiguration(subject, workload, app);
    const poolSize = config?.['DATABASE_POOL_SIZE'];
    return app && typeof poolSize === 'number' ? [{ workload, app, poolSize }] : [];
  });
}
