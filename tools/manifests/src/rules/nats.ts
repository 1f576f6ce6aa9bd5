import { variablesOf } from '../environment.js';
import { type Fault, fault } from '../finding.js';
import type { KubernetesObject } from '../objects.js';
import { ofKind, type Workload, workloadsOf } from '../workloads.js';
import { appOf, readConfiguration } from './configuration.js';
import type { Rule, Subject } from './rule.js';

/** Servers of NATS that know one another. */
interface NatsServers {
  replicas: number;
  /** `nats-0.nats-headless`, and so on. */
  hosts: string[];
}

function natsServers({ object }: Workload): NatsServers {
  const { replicas = 1, serviceName = '' } = object['spec'] as {
    replicas?: number;
    serviceName?: string;
  };
  const hosts = Array.from(
    { length: replicas },
    (_each, index) => `${object.metadata.name}-${index}.${serviceName}`,
  );
  return { replicas, hosts };
}

/** The configuration that is mounted in the servers of NATS. */
function configurationMap(
  { pod }: Workload,
  overlay: readonly KubernetesObject[],
): { object: KubernetesObject; text: string } | undefined {
  const names = (pod.volumes ?? []).flatMap(({ configMap }) => configMap?.name ?? []);
  for (const object of ofKind(overlay, 'ConfigMap')) {
    const text = (object['data'] as Record<string, string> | undefined)?.['nats.conf'];
    if (text !== undefined && names.includes(object.metadata.name)) return { object, text };
  }
  return undefined;
}

const hostOf = (address: string): string => URL.parse(address.trim())?.hostname ?? address;

const listed = (hosts: readonly string[]): string => hosts.join(', ') || '(none)';

/** Servers of NATS, their routes, what apps connect to and the copies of the event stream are the same number. */
export const natsServersAgree: Rule = (subject) => {
  const workload = workloadsOf(subject.overlay).find((each) =>
    configurationMap(each, subject.overlay),
  );
  const configuration = workload && configurationMap(workload, subject.overlay);
  if (!workload || !configuration) return [];
  const servers = natsServers(workload);
  return [...routeFaults(configuration, servers, subject), ...appFaults(servers, subject)];
};

function routeFaults(
  { object, text }: { object: KubernetesObject; text: string },
  { replicas, hosts }: NatsServers,
  { objects }: Subject,
): Fault[] {
  if (!objects.includes(object)) return [];
  const routes = /^\s*routes: (\[.*\])$/m.exec(text)?.[1] ?? '[]';
  const routed = (JSON.parse(routes) as string[]).map(hostOf);
  const wanted = replicas > 1 ? hosts : [];
  return sameHosts(routed, wanted)
    ? []
    : [
        fault(
          object,
          ['data', 'nats.conf'],
          `There are ${replicas} servers, and the routes are to ${listed(routed)}.`,
          `Route to ${listed(wanted)}: in libs/messaging/src/nats-permissions.ts, then npm run docs; or correct the replicas of the StatefulSet.`,
        ),
      ];
}

function sameHosts(some: readonly string[], others: readonly string[]): boolean {
  return some.toSorted().join() === others.toSorted().join();
}

function appFaults({ replicas, hosts }: NatsServers, subject: Subject): Fault[] {
  return workloadsOf(subject.objects).flatMap((workload) => {
    const app = appOf(workload, subject);
    const config = app && readConfiguration(subject, workload, app);
    const main = workload.containers.find(({ initial }) => !initial);
    if (!config || !main) return [];
    const { object } = workload;
    const { variables } = variablesOf(subject.objects, object, main.container, main.path);
    const report = (name: string, problem: string, fix: string): Fault => {
      const set = variables.get(name);
      return fault(set?.object ?? object, set?.path ?? [...main.path, 'env', name], problem, fix);
    };
    const faults: Fault[] = [];
    const connected = String(config['NATS_URL']).split(',').map(hostOf);
    // Names of single servers, not of a Service that has them all.
    const single = connected.filter((host) => host.includes('.'));
    if (single.length > 0 && !sameHosts(single, hosts)) {
      faults.push(
        report(
          'NATS_URL',
          `There are ${replicas} servers, and ${app.name} connects to ${listed(single)}.`,
          `Name ${listed(hosts)}.`,
        ),
      );
    }
    const copies = config['EVENT_STREAM_REPLICAS'];
    const possible = [5, 3, 1].find((each) => each <= Math.min(replicas, 3)) ?? 1;
    if (typeof copies === 'number' && (copies > replicas || copies < possible)) {
      faults.push(
        report(
          'EVENT_STREAM_REPLICAS',
          copies > replicas
            ? `The event stream cannot have ${copies} copies on ${replicas} servers.`
            : `The event stream has ${copies} copy on ${replicas} servers, and is lost with that one.`,
          `Set ${possible}.`,
        ),
      );
    }
    return faults;
  });
}
