import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { App } from '../apps.js';
import { type DatabaseAddress, databaseAddresses, databaseServer } from '../databases.js';
import { mountedFile } from '../environment.js';
import { distinctFaults, type Fault, fault } from '../finding.js';
import type { KubernetesObject } from '../objects.js';
import { secretsOf } from '../secrets.js';
import { ofKind, selects, type Workload, workloadsOf } from '../workloads.js';
import { appOf, readConfiguration } from './configuration.js';
import type { Rule, Subject } from './rule.js';

/** Every address of a database leads to a server of the overlay that has this database and lets this role in. */
export const databasesAreThere: Rule = (subject) =>
  distinctFaults(
    workloadsOf(subject.objects).flatMap((workload) => {
      const app = appOf(workload, subject);
      return (app ? databaseAddresses(subject, workload, app) : []).flatMap((address) =>
        addressFaults(address, workload, app!, subject),
      );
    }),
  );

function addressFaults(
  { text, container, object, path }: DatabaseAddress,
  workload: Workload,
  app: App,
  subject: Subject,
): Fault[] {
  const report = (problem: string, fix: string): Fault => fault(object, path, problem, fix);
  const url = URL.parse(text);
  if (url === null || !/^postgres(?:ql)?:$/.test(url.protocol)) {
    return [
      report(
        `${app.name} takes it for the address of a database, which it is not.`,
        'Write postgres://ROLE:PASSWORD@HOST:5432/DATABASE.',
      ),
    ];
  }
  const { hostname, username } = url;
  const server = databaseServer(subject.overlay, hostname);
  if (!server) {
    return [
      report(
        `No PostgreSQL of the overlay takes writes at ${hostname}.`,
        'Correct the host: CLUSTER-rw, or the name of a Service.',
      ),
    ];
  }
  const faults: Fault[] = [];
  const { name } = server.object.metadata;
  const port = Number(url.port || 5432);
  if (!server.ports.includes(port)) {
    faults.push(
      report(
        `${hostname} has no port ${port}.`,
        `Use ${server.ports.join(' or ')}, or correct the host.`,
      ),
    );
  }
  if (!server.cluster) return faults;
  const { database, owner, roles } = server.cluster;
  const wanted = url.pathname.slice(1);
  if (wanted !== database) {
    faults.push(
      report(
        `${name} has the database ${database}, not ${wanted}.`,
        'Correct the database or the host.',
      ),
    );
  }
  if (username !== owner && !roles.includes(username)) {
    faults.push(
      report(
        `${name} has no role ${username}.`,
        `Use ${[...roles, owner].join(' or ')}, or add the role to the Cluster.`,
      ),
    );
  }
  const mode = url.searchParams.get('sslmode');
  if (mode !== 'verify-full') {
    faults.push(
      report(
        `With sslmode=${mode ?? '(none)'} it does not check whom it talks to, and ${name} takes no connection without TLS.`,
        'Add sslmode=verify-full and sslrootcert.',
      ),
    );
  }
  const file = url.searchParams.get('sslrootcert') ?? '';
  const mounted = mountedFile(workload.pod, container, file);
  const secrets = secretsOf(subject.overlay, subject.beside);
  if (!mounted?.secrets.some((secret) => secrets.get(secret)?.has(mounted.key))) {
    faults.push(
      report(
        `The container ${container.name} of ${app.name} has no ${file || 'certificate'} to check the server by.`,
        'Correct sslrootcert, or mount the Secret with the certificate there.',
      ),
    );
  }
  return faults;
}

/** A host that apps connect to with TLS, and the Secret that its server shows the certificate of. */
interface TlsHost {
  host: string;
  secret: string;
}

/**
 * The certificates of servers are for the hosts that apps connect to, as Node.js sees it: it takes no wildcard directly below a
 * name of one part, which Go does, so servers of NATS would still find one another.
 */
export const certificatesNameHosts: Rule = (subject) =>
  distinctFaults(
    workloadsOf(subject.objects).flatMap((workload) => {
      const app = appOf(workload, subject);
      if (!app) return [];
      return [
        ...natsHosts(workload, app, subject),
        ...databaseHosts(workload, app, subject),
      ].flatMap((each) => hostFaults(each, subject));
    }),
  );

function natsHosts(workload: Workload, app: App, subject: Subject): TlsHost[] {
  const { NATS_URL } = readConfiguration(subject, workload, app) ?? {};
  if (typeof NATS_URL !== 'string') return [];
  return NATS_URL.split(',').flatMap((each) => {
    const { protocol, hostname } = URL.parse(each.trim()) ?? { protocol: '', hostname: '' };
    if (protocol !== 'tls:') return [];
    return serverSecrets(hostname, subject.overlay).map((secret) => ({ host: hostname, secret }));
  });
}

/** The Secrets with certificates that the pods behind a host mount. */
function serverSecrets(hostname: string, overlay: readonly KubernetesObject[]): string[] {
  const names = hostname.split('.').slice(0, 2);
  const service = ofKind(overlay, 'Service').find(({ metadata }) => names.includes(metadata.name));
  const { selector } = (service?.['spec'] ?? {}) as { selector?: Record<string, string> };
  if (!selector) return [];
  return workloadsOf(overlay)
    .filter(({ labels }) => selects({ matchLabels: selector }, labels))
    .flatMap(({ pod }) => (pod.volumes ?? []).flatMap(({ secret }) => secret?.secretName ?? []));
}

function databaseHosts(workload: Workload, app: App, subject: Subject): TlsHost[] {
  return databaseAddresses(subject, workload, app).flatMap(({ text }) => {
    const url = URL.parse(text);
    const host = url?.hostname ?? '';
    const secret = databaseServer(subject.overlay, host)?.cluster?.tlsSecret;
    return url?.searchParams.get('sslmode') === 'verify-full' && secret !== undefined
      ? [{ host, secret }]
      : [];
  });
}

function hostFaults({ host, secret }: TlsHost, { overlay }: Subject): Fault[] {
  return ofKind(overlay, 'Certificate').flatMap((object) => {
    const { secretName, dnsNames = [] } = object['spec'] as {
      secretName: string;
      dnsNames?: string[];
    };
    if (secretName !== secret) return [];
    const subjectaltname = dnsNames.map((name) => `DNS:${name}`).join(', ');
    const refusal = checkServerIdentity(host, { subject: {}, subjectaltname } as PeerCertificate);
    return refusal === undefined
      ? []
      : [
          fault(
            object,
            ['spec', 'dnsNames'],
            `Apps connect to ${host}, and Node.js takes none of these names for it.`,
            `Add ${host}: a wildcard has to stand below a name of two parts.`,
          ),
        ];
  });
}
