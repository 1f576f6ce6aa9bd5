import { describe, expect, inject, it } from 'vitest';
import { readApps } from '../src/apps.js';
import { type Fault, findingText } from '../src/finding.js';
import type { FieldPath, KubernetesObject } from '../src/objects.js';
import { readRendering } from '../src/render.js';
import { ruleFindings } from '../src/rule-findings.js';
import { rules } from '../src/rules/index.js';
import { hasAddress, unknownDestinations } from '../src/rules/network.js';
import { appliedBeside, readSecrets } from '../src/secrets.js';
import { findObject, remove, set } from './mutation.js';

const renders = inject('renderings').map(readRendering);
const apps = await readApps();
const secrets = readSecrets(inject('secrets'));

describe('the manifests', () => {
  it('break no rule', () => {
    expect(ruleFindings(renders, apps, secrets).map(findingText)).toEqual([]);
  });
});

type Objects = KubernetesObject[];

/** How a rule is broken in an overlay, and what has to be said about it. */
interface Breach {
  overlay?: 'production' | 'small';
  rule: keyof typeof rules;
  by: (objects: Objects) => void;
  /** All of what the rule says then. */
  faults: { object: string; field: string; problem: RegExp; fix: RegExp }[];
}

const pod = ['spec', 'template', 'spec'] as const;
const main = [...pod, 'containers', 0] as const;
const first = [...pod, 'initContainers', 0] as const;
const mainField = 'spec.template.spec.containers[app]';
const firstField = 'spec.template.spec.initContainers[migrate]';

/** A breach in the Deployment of chat. */
function inChat(
  rule: keyof typeof rules,
  by: (chat: KubernetesObject) => void,
  field: string,
  problem: RegExp,
  fix: RegExp,
): Breach {
  return {
    rule,
    by: (objects) => by(findObject(objects, 'Deployment', 'chat')),
    faults: [{ object: 'Deployment mentorhub/chat', field, problem, fix }],
  };
}

const chatAddress = ['spec', 'target', 'template', 'data', 'database-url'] as const;

/** Changes the address that chat reads. */
function setAddress(objects: Objects, from: string, to: string): void {
  const secret = findObject(objects, 'ExternalSecret', 'chat');
  const { spec } = secret as unknown as {
    spec: { target: { template: { data: Record<'database-url', string> } } };
  };
  const before = spec.target.template.data['database-url'];
  if (!before.includes(from)) throw new Error(`${from} is not in ${before}`);
  set(secret, chatAddress, before.replace(from, to));
}

/** A breach in the address that chat reads. */
function inAddress(from: string, to: string, problems: RegExp[], fix: RegExp): Breach {
  return {
    rule: 'databasesAreThere',
    by: (objects) => setAddress(objects, from, to),
    faults: problems.map((problem) => ({
      object: 'ExternalSecret mentorhub/chat',
      field: chatAddress.join('.'),
      problem,
      fix,
    })),
  };
}

/** A breach in what an object of production names. */
function inReference(
  place: [kind: string, name: string],
  path: FieldPath,
  value: string,
  field: string,
  problem: RegExp,
): Breach {
  return {
    rule: 'referencesExist',
    by: (objects) => set(findObject(objects, ...place), path, value),
    faults: [
      {
        object: `${place[0]} mentorhub/${place[1]}`,
        field,
        problem,
        fix: /Correct the (?:name|key), or add/,
      },
    ],
  };
}

const kedaBehavior = ['spec', 'advanced', 'horizontalPodAutoscalerConfig', 'behavior'] as const;

/** A breach in what KEDA asks Prometheus for. */
function inTrigger(field: string, value: string, problem: RegExp, fix: RegExp): Breach {
  return {
    rule: 'triggersAreMeasured',
    by: (objects) =>
      set(
        findObject(objects, 'ScaledObject', 'chat-gateway'),
        ['spec', 'triggers', 0, 'metadata', field],
        value,
      ),
    faults: [
      {
        object: 'ScaledObject mentorhub/chat-gateway',
        field: `spec.triggers[0].metadata.${field}`,
        problem,
        fix,
      },
    ],
  };
}

const openNamespace = {
  object: 'Namespace mentorhub',
  field: 'metadata.name',
  problem: /that no NetworkPolicy selects are open/,
  fix: /podSelector \{\}/,
};

const breaches: Record<string, Breach> = {
  'an image without a version': inChat(
    'pinnedImages',
    (chat) => set(chat, [...main, 'image'], 'registry.example:5000/mentorhub/chat'),
    `${mainField}.image`,
    /has no version/,
    /Set a version/,
  ),
  'the latest image': inChat(
    'pinnedImages',
    (chat) => set(chat, [...first, 'image'], 'mentorhub/chat:latest'),
    `${firstField}.image`,
    /has the tag latest, which is no version/,
    /or a digest/,
  ),
  'an image of whatever is the newest of a line': inChat(
    'pinnedImages',
    (chat) => set(chat, [...main, 'image'], 'mentorhub/chat:1-trixie'),
    `${mainField}.image`,
    /has the tag 1-trixie, which is no version/,
    /Set a version/,
  ),
  'the latest PostgreSQL': {
    rule: 'pinnedImages',
    by: (objects) =>
      set(
        findObject(objects, 'Cluster', 'chat-db'),
        ['spec', 'imageName'],
        'ghcr.io/cloudnative-pg/postgresql',
      ),
    faults: [
      {
        object: 'Cluster mentorhub/chat-db',
        field: 'spec.imageName',
        problem: /has no version/,
        fix: /Set a version/,
      },
    ],
  },
  'a pod that may run as root': {
    rule: 'nonRoot',
    by: (objects) =>
      remove(findObject(objects, 'Deployment', 'chat-gateway'), [
        ...pod,
        'securityContext',
        'runAsNonRoot',
      ]),
    faults: [
      {
        object: 'Deployment mentorhub/chat-gateway',
        field: `${mainField}.securityContext.runAsNonRoot`,
        problem: /may run as root/,
        fix: /Set runAsNonRoot: true/,
      },
    ],
  },
  'a container that is root though its pod is not': inChat(
    'nonRoot',
    (chat) => set(chat, [...main, 'securityContext', 'runAsUser'], 0),
    `${mainField}.securityContext.runAsUser`,
    /is root/,
    /65532/,
  ),
  'a root file system that can be written to': inChat(
    'readOnlyRoot',
    (chat) => remove(chat, [...first, 'securityContext', 'readOnlyRootFilesystem']),
    `${firstField}.securityContext.readOnlyRootFilesystem`,
    /can be written to/,
    /Set readOnlyRootFilesystem: true/,
  ),
  'no filter of system calls': inChat(
    'seccomp',
    (chat) => set(chat, [...main, 'securityContext', 'seccompProfile'], { type: 'Unconfined' }),
    `${mainField}.securityContext.seccompProfile`,
    /not filtered \(Unconfined\)/,
    /RuntimeDefault/,
  ),
  'capabilities that are kept': inChat(
    'noCapabilities',
    (chat) => remove(chat, [...main, 'securityContext', 'capabilities']),
    `${mainField}.securityContext.capabilities.drop`,
    /keeps capabilities/,
    /drop: \[ALL\]/,
  ),
  'a capability that is added': inChat(
    'noCapabilities',
    (chat) => set(chat, [...main, 'securityContext', 'capabilities', 'add'], ['NET_ADMIN']),
    `${mainField}.securityContext.capabilities.add`,
    /gets the capabilities NET_ADMIN/,
    /Remove them/,
  ),
  'privileges that may grow': inChat(
    'noCapabilities',
    (chat) => remove(chat, [...main, 'securityContext', 'allowPrivilegeEscalation']),
    `${mainField}.securityContext.allowPrivilegeEscalation`,
    /more privileges/,
    /allowPrivilegeEscalation: false/,
  ),
  'a container with all of the machine': inChat(
    'noCapabilities',
    (chat) => set(chat, [...main, 'securityContext', 'privileged'], true),
    `${mainField}.securityContext.privileged`,
    /all of the machine/,
    /Remove it/,
  ),
  'the network of the machine': inChat(
    'noHostAccess',
    (chat) => set(chat, [...pod, 'hostNetwork'], true),
    'spec.template.spec.hostNetwork',
    /shares this with the machine/,
    /Remove it/,
  ),
  'files of the machine': inChat(
    'noHostAccess',
    (chat) => set(chat, [...pod, 'volumes', 0], { name: 'ca', hostPath: { path: '/' } }),
    'spec.template.spec.volumes[ca].hostPath',
    /sees files of the machine/,
    /another kind of volume/,
  ),
  'a token of the service account': inChat(
    'noServiceAccountToken',
    (chat) => remove(chat, [...pod, 'automountServiceAccountToken']),
    'spec.template.spec.automountServiceAccountToken',
    /gets a token/,
    /automountServiceAccountToken: false/,
  ),
  'no request': inChat(
    'resources',
    (chat) => remove(chat, [...main, 'resources', 'requests', 'cpu']),
    `${mainField}.resources.requests.cpu`,
    /does not know how much/,
    /Set a request of cpu/,
  ),
  'no limit of memory': inChat(
    'resources',
    (chat) => remove(chat, [...main, 'resources', 'limits']),
    `${mainField}.resources.limits.memory`,
    /may use up the memory/,
    /Set a limit of memory/,
  ),
  'a database without a limit of memory': {
    rule: 'resources',
    by: (objects) =>
      remove(findObject(objects, 'Cluster', 'chat-db'), ['spec', 'resources', 'limits']),
    faults: [
      {
        object: 'Cluster mentorhub/chat-db',
        field: 'spec.resources.limits.memory',
        problem: /may use up the memory/,
        fix: /Set a limit of memory/,
      },
    ],
  },
  'a sidecar for backups without a limit of memory': {
    rule: 'resources',
    by: (objects) =>
      remove(findObject(objects, 'ObjectStore', 'chat-db'), [
        'spec',
        'instanceSidecarConfiguration',
        'resources',
        'limits',
      ]),
    faults: [
      {
        object: 'ObjectStore mentorhub/chat-db',
        field: 'spec.instanceSidecarConfiguration.resources.limits.memory',
        problem: /may use up the memory/,
        fix: /Set a limit of memory/,
      },
    ],
  },
  'a missing probe': inChat(
    'probes',
    (chat) => remove(chat, [...main, 'startupProbe']),
    `${mainField}.startupProbe`,
    /is not asked/,
    /Set a startupProbe/,
  ),
  'a probe of a port that is not there': inChat(
    'probes',
    (chat) => set(chat, [...main, 'livenessProbe', 'httpGet', 'port'], 'managment'),
    `${mainField}.livenessProbe`,
    /has no port managment/,
    /name of one of its ports/,
  ),
  'no budget for disruptions': {
    rule: 'disruptionBudget',
    by: (objects) =>
      objects.splice(objects.indexOf(findObject(objects, 'PodDisruptionBudget', 'nats')), 1),
    faults: [
      {
        object: 'StatefulSet mentorhub/nats',
        field: 'spec.template.metadata.labels',
        problem: /No PodDisruptionBudget selects its pods/,
        fix: /maxUnavailable: 1/,
      },
    ],
  },
  'two budgets for the same pods': {
    rule: 'disruptionBudget',
    by: (objects) => {
      const second = structuredClone(findObject(objects, 'PodDisruptionBudget', 'chat'));
      second.metadata.name = 'second';
      objects.push(second);
    },
    faults: [
      {
        object: 'PodDisruptionBudget mentorhub/second',
        field: 'spec.selector',
        problem: /chat selects the same pods/,
        fix: /Remove one/,
      },
    ],
  },
  'a budget that lets no pod go': {
    rule: 'disruptionBudget',
    by: (objects) =>
      set(findObject(objects, 'PodDisruptionBudget', 'chat'), ['spec', 'maxUnavailable'], 0),
    faults: [
      {
        object: 'PodDisruptionBudget mentorhub/chat',
        field: 'spec.maxUnavailable',
        problem: /none may be evicted/,
        fix: /Set maxUnavailable: 1/,
      },
    ],
  },
  'pods that may all be on one machine': inChat(
    'spread',
    (chat) =>
      set(chat, [...pod, 'topologySpreadConstraints', 0, 'labelSelector', 'matchLabels'], {
        'app.kubernetes.io/name': 'chatt',
      }),
    'spec.template.spec.topologySpreadConstraints',
    /all on one machine/,
    /topologyKey kubernetes\.io\/hostname/,
  ),
  'a rollout that ends pods first': inChat(
    'rolloutKeepsPods',
    (chat) => remove(chat, ['spec', 'strategy', 'rollingUpdate', 'maxUnavailable']),
    'spec.strategy.rollingUpdate.maxUnavailable',
    /before their successors are ready \(the default, 25%\)/,
    /Set maxUnavailable: 0/,
  ),
  'a rollout that ends all pods': inChat(
    'rolloutKeepsPods',
    (chat) => set(chat, ['spec', 'strategy', 'type'], 'Recreate'),
    'spec.strategy.type',
    /ends all pods/,
    /RollingUpdate/,
  ),
  'no policy for the network': {
    rule: 'networkPolicies',
    by: (objects) =>
      objects.splice(
        0,
        objects.length,
        ...objects.filter(({ kind, metadata }) => {
          return kind !== 'NetworkPolicy' || !['chat', 'default-deny'].includes(metadata.name);
        }),
      ),
    faults: [
      openNamespace,
      ...['ingress', 'egress'].map((direction) => ({
        object: 'Deployment mentorhub/chat',
        field: 'metadata.labels',
        problem: new RegExp(`its ${direction} is open`),
        fix: /Add a NetworkPolicy/,
      })),
    ],
  },
  'egress that is not restricted': {
    rule: 'networkPolicies',
    by: (objects) => {
      objects.splice(objects.indexOf(findObject(objects, 'NetworkPolicy', 'default-deny')), 1);
      set(findObject(objects, 'NetworkPolicy', 'chat'), ['spec', 'policyTypes'], ['Ingress']);
    },
    faults: [
      openNamespace,
      {
        object: 'NetworkPolicy mentorhub/chat',
        field: 'spec.policyTypes',
        problem: /does not restrict the egress of the pods of chat/,
        fix: /Add Egress/,
      },
    ],
  },
  'a connection that is not allowed': {
    rule: 'networkPolicies',
    by: (objects) =>
      remove(findObject(objects, 'NetworkPolicy', 'notifications'), ['spec', 'egress', 3]),
    faults: [
      {
        object: 'NetworkPolicy mentorhub/notifications',
        field: 'spec.egress',
        problem: /pods of notifications go to the internet, TCP 443, and are not allowed/,
        fix: /Allow egress to there/,
      },
    ],
  },
  'a connection that nobody needs': {
    rule: 'networkPolicies',
    by: (objects) => {
      const { spec } = findObject(objects, 'NetworkPolicy', 'identity') as unknown as {
        spec: { egress: unknown[] };
      };
      spec.egress.push({
        to: [{ podSelector: { matchLabels: { 'cnpg.io/cluster': 'payments-db' } } }],
        ports: [{ port: 5432, protocol: 'TCP' }],
      });
    },
    faults: [
      {
        object: 'NetworkPolicy mentorhub/identity',
        field: 'spec.egress[3]',
        problem:
          /pods of identity to pods of payments-db, TCP 5432 are allowed, and there are none/,
        fix: /Remove the peer or the port/,
      },
    ],
  },
  'a port that Prometheus does not ask': {
    rule: 'networkPolicies',
    by: (objects) =>
      set(findObject(objects, 'Deployment', 'chat'), [...main, 'ports', 0, 'containerPort'], 8014),
    faults: [
      {
        object: 'NetworkPolicy mentorhub/chat',
        field: 'spec.ingress',
        problem: /come from namespaces mentorhub\/monitoring=true, TCP 8013, and are not allowed/,
        fix: /Allow ingress from there/,
      },
      {
        object: 'NetworkPolicy mentorhub/chat',
        field: 'spec.ingress[0]',
        problem: /TCP 8014 are allowed, and there are none/,
        fix: /correct it/,
      },
    ],
  },
  'a database that lets another service in': {
    rule: 'networkPolicies',
    by: (objects) =>
      set(
        findObject(objects, 'NetworkPolicy', 'payments-db'),
        ['spec', 'ingress', 0, 'from', 0, 'podSelector', 'matchLabels', 'app.kubernetes.io/name'],
        'chat',
      ),
    faults: [
      {
        object: 'NetworkPolicy mentorhub/payments-db',
        field: 'spec.ingress',
        problem: /come from pods of payments, TCP 5432, and are not allowed/,
        fix: /Allow ingress from there/,
      },
      {
        object: 'NetworkPolicy mentorhub/payments-db',
        field: 'spec.ingress[0]',
        problem: /from pods of chat, TCP 5432 are allowed, and there are none/,
        fix: /Remove the peer/,
      },
    ],
  },
  'a NATS that an app cannot reach': {
    overlay: 'small',
    rule: 'networkPolicies',
    by: (objects) =>
      set(
        findObject(objects, 'Deployment', 'api-gateway'),
        ['spec', 'template', 'metadata', 'labels', 'app.kubernetes.io/component'],
        'front',
      ),
    faults: [
      {
        object: 'NetworkPolicy mentorhub/nats',
        field: 'spec.ingress',
        problem: /come from pods of api-gateway, TCP 4222, and are not allowed/,
        fix: /Allow ingress from there/,
      },
    ],
  },
  'the database of another service': {
    rule: 'networkPolicies',
    by: (objects) => setAddress(objects, 'chat-db-rw:5432/chat', 'payments-db-rw:5432/payments'),
    faults: [
      {
        object: 'NetworkPolicy mentorhub/chat',
        field: 'spec.egress',
        problem: /pods of chat go to pods of payments-db, TCP 5432, and are not allowed/,
        fix: /Allow egress to there/,
      },
      {
        object: 'NetworkPolicy mentorhub/payments-db',
        field: 'spec.ingress',
        problem: /pods of payments-db come from pods of chat, TCP 5432, and are not allowed/,
        fix: /Allow ingress from there/,
      },
    ],
  },
  'a database that is not on the server of its address': inAddress(
    'chat-db-rw',
    'payments-db-rw',
    [/payments-db has the database payments, not chat/, /payments-db has no role chat/],
    /Correct the database|Use payments or payments_owner/,
  ),
  'a host of a database that is not there': inAddress(
    'chat-db-rw',
    'chat-db-wr',
    [/No PostgreSQL of the overlay takes writes at chat-db-wr/],
    /CLUSTER-rw/,
  ),
  'the copies of a database, which take no writes': inAddress(
    'chat-db-rw',
    'chat-db-ro',
    [/takes writes at chat-db-ro/],
    /CLUSTER-rw/,
  ),
  'a port of a database that is not there': inAddress(
    ':5432',
    ':5433',
    [/chat-db-rw has no port 5433/],
    /Use 5432/,
  ),
  'a database without a check of its certificate': inAddress(
    'sslmode=verify-full',
    'sslmode=require',
    [/With sslmode=require it does not check/],
    /sslmode=verify-full/,
  ),
  'a certificate of the authority that is not where an address says': inAddress(
    'sslrootcert=/etc/mentorhub/ca/',
    'sslrootcert=/etc/mentorhub/',
    [
      /The container migrate of chat has no \/etc\/mentorhub\/ca\.crt/,
      /The container app of chat has no \/etc\/mentorhub\/ca\.crt/,
    ],
    /Correct sslrootcert/,
  ),
  'something else than an address of a database': inAddress(
    'postgres://',
    'mysql://',
    [/chat takes it for the address of a database, which it is not/],
    /postgres:\/\/ROLE/,
  ),
  'a wildcard for the names of the servers of NATS': {
    rule: 'certificatesNameHosts',
    by: (objects) =>
      set(findObject(objects, 'Certificate', 'nats'), ['spec', 'dnsNames'], ['*.nats-headless']),
    faults: ['nats-0', 'nats-1', 'nats-2'].map((server) => ({
      object: 'Certificate mentorhub/nats',
      field: 'spec.dnsNames',
      problem: new RegExp(`Apps connect to ${server}\\.nats-headless, and Node\\.js takes none`),
      fix: new RegExp(`Add ${server}\\.nats-headless`),
    })),
  },
  'a certificate of a database without its name': {
    rule: 'certificatesNameHosts',
    by: (objects) => remove(findObject(objects, 'Certificate', 'chat-db'), ['spec', 'dnsNames', 0]),
    faults: [
      {
        object: 'Certificate mentorhub/chat-db',
        field: 'spec.dnsNames',
        problem: /Apps connect to chat-db-rw/,
        fix: /Add chat-db-rw/,
      },
    ],
  },
  'metrics that clients reach': {
    rule: 'clientsReachTheirPaths',
    by: (objects) =>
      set(
        findObject(objects, 'HTTPRoute', 'mentorhub'),
        ['spec', 'rules', 1, 'matches', 1, 'path', 'value'],
        '/metrics',
      ),
    faults: [
      {
        object: 'HTTPRoute mentorhub/mentorhub',
        field: 'spec.rules[1].matches[1].path',
        problem: /Clients reach \/metrics of api-gateway, which is for operators/,
        fix: /Remove it/,
      },
      {
        object: 'HTTPRoute mentorhub/mentorhub',
        field: 'spec.rules',
        problem: /No client reaches \/avatars and what is below it/,
        fix: /Lead it to api-gateway/,
      },
    ],
  },
  'the health of all services below a path of clients': {
    overlay: 'small',
    rule: 'clientsReachTheirPaths',
    by: (objects) =>
      set(findObject(objects, 'Ingress', 'mentorhub'), ['spec', 'rules', 0, 'http', 'paths', 8], {
        path: '/health',
        pathType: 'Prefix',
        backend: { service: { name: 'api-gateway', port: { name: 'http' } } },
      }),
    faults: [
      {
        object: 'Ingress mentorhub/mentorhub',
        field: 'spec.rules[0].http.paths[8]',
        problem: /Clients reach \/health, \/health\/live, \/health\/detailed of api-gateway/,
        fix: /name the paths that clients use/,
      },
      {
        object: 'Ingress mentorhub/mentorhub',
        field: 'spec.rules',
        problem: /No client reaches \/health\/ready\./,
        fix: /Lead it to api-gateway/,
      },
    ],
  },
  'everything else to one app': {
    overlay: 'small',
    rule: 'clientsReachTheirPaths',
    by: (objects) =>
      set(findObject(objects, 'Ingress', 'mentorhub'), ['spec', 'defaultBackend'], {
        service: { name: 'api-gateway', port: { name: 'http' } },
      }),
    faults: [
      {
        object: 'Ingress mentorhub/mentorhub',
        field: 'spec.defaultBackend',
        problem: /Clients reach \/metrics, .*\/health\/detailed/,
        fix: /Remove it/,
      },
    ],
  },
  'WebSockets that lead to the other gateway': {
    rule: 'clientsReachTheirPaths',
    by: (objects) =>
      set(findObject(objects, 'HTTPRoute', 'mentorhub'), ['spec', 'rules', 0, 'backendRefs', 0], {
        name: 'api-gateway',
        port: 8001,
      }),
    faults: [
      {
        object: 'HTTPRoute mentorhub/mentorhub',
        field: 'spec.rules[0].matches[0].path',
        problem: /\/ws leads to api-gateway/,
        fix: /Lead it to chat-gateway/,
      },
    ],
  },
  'a path that one overlay alone has': {
    overlay: 'small',
    rule: 'clientsReachTheirPaths',
    by: (objects) =>
      (
        findObject(objects, 'Ingress', 'mentorhub') as unknown as {
          spec: { rules: { http: { paths: object[] } }[] };
        }
      ).spec.rules[0]!.http.paths.push({
        path: '/admin',
        pathType: 'Prefix',
        backend: { service: { name: 'api-gateway', port: { name: 'http' } } },
      }),
    faults: [
      {
        object: 'Ingress mentorhub/mentorhub',
        field: 'spec.rules[0].http.paths[9]',
        problem: /\/admin and all below it is no path of clients/,
        fix: /clientPaths/,
      },
    ],
  },
  'an edge for another host': {
    rule: 'clientsReachTheirPaths',
    by: (objects) =>
      set(
        findObject(objects, 'Gateway', 'edge'),
        ['spec', 'listeners', 0, 'hostname'],
        'www.mentorhub.example',
      ),
    faults: [
      {
        object: 'Gateway mentorhub/edge',
        field: 'spec.listeners[https].hostname',
        problem: /It is for www\.mentorhub\.example, and PUBLIC_URL is for mentorhub\.example/,
        fix: /Set the host of PUBLIC_URL/,
      },
    ],
  },
  'an Ingress for every host': {
    overlay: 'small',
    rule: 'clientsReachTheirPaths',
    by: (objects) =>
      remove(findObject(objects, 'Ingress', 'mentorhub'), ['spec', 'rules', 0, 'host']),
    faults: [
      {
        object: 'Ingress mentorhub/mentorhub',
        field: 'spec.rules[0].host',
        problem: /It is for every host/,
        fix: /Set the host/,
      },
    ],
  },
  'two autoscalers of one app': {
    rule: 'oneAutoscaler',
    by: (objects) => {
      const second = structuredClone(findObject(objects, 'HorizontalPodAutoscaler', 'chat'));
      second.metadata.name = 'chat-gateway';
      set(second, ['spec', 'scaleTargetRef', 'name'], 'chat-gateway');
      objects.push(second);
    },
    faults: [
      {
        object: 'ScaledObject mentorhub/chat-gateway',
        field: 'spec.scaleTargetRef.name',
        problem: /HorizontalPodAutoscaler chat-gateway scales chat-gateway as well/,
        fix: /Remove one of the two/,
      },
    ],
  },
  'a number of pods beside an autoscaler': inChat(
    'oneAutoscaler',
    (chat) => set(chat, ['spec', 'replicas'], 2),
    'spec.replicas',
    /Each apply sets what HorizontalPodAutoscaler chat has changed/,
    /Remove it/,
  ),
  'an app whose number of pods is not said': {
    rule: 'oneAutoscaler',
    by: (objects) =>
      objects.splice(objects.indexOf(findObject(objects, 'HorizontalPodAutoscaler', 'chat')), 1),
    faults: [
      {
        object: 'Deployment mentorhub/chat',
        field: 'spec.replicas',
        problem: /Nothing says how many pods/,
        fix: /Add a HorizontalPodAutoscaler/,
      },
    ],
  },
  'two pods with WebSockets that go at once': {
    rule: 'socketsGoSlowly',
    by: (objects) =>
      set(
        findObject(objects, 'ScaledObject', 'chat-gateway'),
        [...kedaBehavior, 'scaleDown', 'policies', 0, 'value'],
        2,
      ),
    faults: [
      {
        object: 'ScaledObject mentorhub/chat-gateway',
        field: [...kedaBehavior, 'scaleDown', 'policies'].join('.'),
        problem: /More than one pod of chat-gateway may go in 300 s/,
        fix: /type Pods, value 1, periodSeconds 300/,
      },
    ],
  },
  'pods with WebSockets that go as Kubernetes has it': {
    overlay: 'small',
    rule: 'socketsGoSlowly',
    by: (objects) =>
      remove(findObject(objects, 'HorizontalPodAutoscaler', 'chat-gateway'), ['spec', 'behavior']),
    faults: [
      {
        object: 'HorizontalPodAutoscaler mentorhub/chat-gateway',
        field: 'spec.behavior.scaleDown.policies',
        problem: /More than one pod/,
        fix: /Set one policy/,
      },
    ],
  },
  'a metric that the app does not have': inTrigger(
    'query',
    'sum(ws_conections{namespace="mentorhub", job="mentorhub", app="chat-gateway"})',
    /chat-gateway has no metric ws_conections/,
    /apps\/chat-gateway\/src\/metrics\.ts/,
  ),
  'a metric of another installation': inTrigger(
    'query',
    'sum(ws_connections{job="mentorhub", app="chat-gateway"})',
    /does not ask for the namespace mentorhub/,
    /Add namespace="mentorhub"/,
  ),
  'a query that Prometheus does not understand': inTrigger(
    'query',
    'sum(ws_connections{',
    /No PromQL/,
    /Correct the query/,
  ),
  'a threshold that is never reached': inTrigger(
    'threshold',
    '10000',
    /A pod takes 10000 WebSockets/,
    /for example 5000/,
  ),
  'more servers of NATS than the others know': {
    rule: 'natsServersAgree',
    by: (objects) => set(findObject(objects, 'StatefulSet', 'nats'), ['spec', 'replicas'], 5),
    faults: [
      {
        object: 'ConfigMap',
        field: 'data["nats.conf"]',
        problem: /There are 5 servers, and the routes are to nats-0\.nats-headless, /,
        fix: /nats-4\.nats-headless: in libs\/messaging/,
      },
      ...[
        'api-gateway',
        'chat',
        'chat-gateway',
        'identity',
        'mentorship',
        'notifications',
        'payments',
      ].map((app) => ({
        object: 'ConfigMap',
        field: 'data.NATS_URL',
        problem: new RegExp(`There are 5 servers, and ${app} connects to nats-0`),
        fix: /Name .*nats-4\.nats-headless/,
      })),
    ],
  },
  'more copies of the event stream than servers': {
    overlay: 'small',
    rule: 'natsServersAgree',
    by: (objects) =>
      set(findObject(objects, 'ConfigMap', 'identity'), ['data', 'EVENT_STREAM_REPLICAS'], '3'),
    faults: [
      {
        object: 'ConfigMap',
        field: 'data.EVENT_STREAM_REPLICAS',
        problem: /cannot have 3 copies on 1 server/,
        fix: /Set 1/,
      },
    ],
  },
  'one copy of the event stream on three servers': {
    rule: 'natsServersAgree',
    by: (objects) =>
      remove(findObject(objects, 'ConfigMap', 'identity'), ['data', 'EVENT_STREAM_REPLICAS']),
    faults: [
      {
        object: 'Deployment mentorhub/identity',
        field: `${mainField}.env.EVENT_STREAM_REPLICAS`,
        problem: /1 copy on 3 servers/,
        fix: /Set 3/,
      },
    ],
  },
  'less grace than a shutdown may take': {
    rule: 'graceCoversShutdown',
    by: (objects) =>
      set(
        findObject(objects, 'Deployment', 'chat-gateway'),
        [...pod, 'terminationGracePeriodSeconds'],
        40,
      ),
    faults: [
      {
        object: 'Deployment mentorhub/chat-gateway',
        field: 'spec.template.spec.terminationGracePeriodSeconds',
        problem: /may take 40 s to stop, and is killed after 40 s/,
        fix: /more than 40/,
      },
    ],
  },
  'grace by default': {
    rule: 'graceCoversShutdown',
    by: (objects) =>
      remove(findObject(objects, 'StatefulSet', 'nats'), [...pod, 'terminationGracePeriodSeconds']),
    faults: [
      {
        object: 'StatefulSet mentorhub/nats',
        field: 'spec.template.spec.terminationGracePeriodSeconds',
        problem: /is not said/,
        fix: /more seconds/,
      },
    ],
  },
  'more connections than a database takes': {
    rule: 'connectionBudget',
    by: (objects) =>
      set(findObject(objects, 'HorizontalPodAutoscaler', 'chat'), ['spec', 'maxReplicas'], 8),
    faults: [
      {
        object: 'Cluster mentorhub/chat-db',
        field: 'spec.postgresql.parameters.max_connections',
        problem: /takes 100 connections, and 106 may be wanted: chat 8 × \(10 \+ 2\) \+ 10/,
        fix: /at least 106/,
      },
    ],
  },
  'more connections than the one server for all takes': {
    overlay: 'small',
    rule: 'connectionBudget',
    by: (objects) => {
      for (const name of ['identity', 'mentorship', 'chat', 'notifications', 'payments']) {
        set(findObject(objects, 'HorizontalPodAutoscaler', name), ['spec', 'maxReplicas'], 4);
      }
    },
    faults: [
      {
        object: 'StatefulSet mentorhub/postgres',
        field: 'spec.template.spec.containers[postgres].args',
        problem: /takes 200 connections, and 210 may be wanted/,
        fix: /Raise max_connections to at least 210/,
      },
    ],
  },
  'a required variable that is missing': {
    rule: 'variablesAreRead',
    by: (objects) =>
      remove(findObject(objects, 'ConfigMap', 'api-gateway'), ['data', 'PUBLIC_URL']),
    faults: [
      {
        object: 'Deployment mentorhub/api-gateway',
        field: `${mainField}.env.PUBLIC_URL`,
        problem: /api-gateway would not start: PUBLIC_URL is missing/,
        fix: /Set it to an http/,
      },
    ],
  },
  'a variable that nobody reads': {
    rule: 'variablesAreRead',
    by: (objects) => set(findObject(objects, 'ConfigMap', 'chat'), ['data', 'WS_DRAIN'], '20'),
    faults: [
      {
        object: `ConfigMap`,
        field: 'data.WS_DRAIN',
        problem: /chat does not read WS_DRAIN/,
        fix: /docs\/configuration\.md/,
      },
    ],
  },
  'a value that an app does not take': {
    rule: 'variablesAreRead',
    by: (objects) =>
      set(findObject(objects, 'ConfigMap', 'identity'), ['data', 'EVENT_STREAM_REPLICAS'], '2'),
    faults: [
      {
        object: 'ConfigMap',
        field: 'data.EVENT_STREAM_REPLICAS',
        problem: /identity would not start: EVENT_STREAM_REPLICAS must be 1, 3 or 5/,
        fix: /./,
      },
    ],
  },
  'variables that do not fit together': {
    rule: 'variablesAreRead',
    by: (objects) =>
      set(findObject(objects, 'ConfigMap', 'chat-gateway'), ['data', 'WS_DRAIN_SECONDS'], '60'),
    faults: [
      {
        object: 'Deployment mentorhub/chat-gateway',
        field: `${mainField}.env.SHUTDOWN_TIMEOUT_MS`,
        problem:
          /chat-gateway would not start: SHUTDOWN_TIMEOUT_MS is 40000, but a shutdown may take/,
        fix: /Raise SHUTDOWN_TIMEOUT_MS/,
      },
    ],
  },
  'variables from a ConfigMap that is not there': {
    rule: 'variablesAreRead',
    by: (objects) => {
      const chat = findObject(objects, 'Deployment', 'chat');
      const extra = { configMapRef: { name: 'more' } };
      const { envFrom } = (
        chat as unknown as {
          spec: { template: { spec: { containers: { envFrom: unknown[] }[] } } };
        }
      ).spec.template.spec.containers[0]!;
      envFrom.push(extra);
    },
    faults: [
      {
        object: 'Deployment mentorhub/chat',
        field: `${mainField}.envFrom[1]`,
        problem: /There is no ConfigMap more/,
        fix: /Correct the name/,
      },
    ],
  },
  'a secret in a file that is mounted elsewhere': {
    rule: 'secretFilesAreMounted',
    by: (objects) =>
      set(
        findObject(objects, 'ConfigMap', 'identity'),
        ['data', 'SECRET_KEY_FILE'],
        '/run/secrets/secret-key',
      ),
    faults: [
      {
        object: 'ConfigMap',
        field: 'data.SECRET_KEY_FILE',
        problem: /No Secret is mounted in the container migrate of identity where/,
        fix: /mount the Secret/,
      },
      {
        object: 'ConfigMap',
        field: 'data.SECRET_KEY_FILE',
        problem: /No Secret is mounted in the container app of identity where/,
        fix: /mount the Secret/,
      },
    ],
  },
  'a key that no ExternalSecret makes': {
    rule: 'secretFilesAreMounted',
    by: (objects) =>
      remove(findObject(objects, 'ExternalSecret', 'chat-migration'), [
        'spec',
        'target',
        'template',
        'data',
        'migration-database-url',
      ]),
    faults: [
      {
        object: 'Deployment mentorhub/chat',
        field: `${firstField}.env[MIGRATION_DATABASE_URL_CHAT_FILE]`,
        problem: /No Secret chat or chat-migration with the key migration-database-url is made/,
        fix: /ExternalSecret/,
      },
    ],
  },
  'migrations of another version': inChat(
    'migrationsByOwnImage',
    (chat) => set(chat, [...first, 'image'], 'mentorhub/chat:0.0.9'),
    `${firstField}.image`,
    /Migrations are those of mentorhub\/chat:0\.0\.9/,
    /same image/,
  ),
  'no migrations': inChat(
    'migrationsByOwnImage',
    (chat) => remove(chat, [...pod, 'initContainers']),
    'spec.template.spec.initContainers',
    /Nothing brings the database up to date/,
    /args: \[migrate\.js\]/,
  ),
  'a password in a variable': {
    rule: 'noPlainSecrets',
    by: (objects) => set(findObject(objects, 'ConfigMap', 'chat'), ['data', 'NATS_PASSWORD'], 'x'),
    faults: [
      {
        object: 'ConfigMap',
        field: 'data.NATS_PASSWORD',
        problem: /NATS_PASSWORD is a secret/,
        fix: /set NATS_PASSWORD_FILE/,
      },
    ],
  },
  'secrets in the environment': inChat(
    'noPlainSecrets',
    (chat) => set(chat, [...main, 'envFrom', 0], { secretRef: { name: 'chat' } }),
    `${mainField}.envFrom[0].secretRef`,
    /in the environment/,
    /_FILE/,
  ),
  'a Secret with its value': {
    rule: 'noPlainSecrets',
    by: (objects) =>
      objects.push({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'chat', namespace: 'mentorhub' },
        stringData: { 'secret-key': 'abc' },
      }),
    faults: [
      {
        object: 'Secret mentorhub/chat',
        field: 'stringData.secret-key',
        problem: /value of a Secret/,
        fix: /ExternalSecret/,
      },
    ],
  },
  'a password within an address': {
    rule: 'noPlainSecrets',
    by: (objects) =>
      set(
        findObject(objects, 'ExternalSecret', 'chat'),
        ['spec', 'target', 'template', 'data', 'database-url'],
        'postgres://chat:hunter2@chat-db-rw:5432/chat',
      ),
    faults: [
      {
        object: 'ExternalSecret mentorhub/chat',
        field: 'spec.target.template.data.database-url',
        problem: /an address with a password/,
        fix: /Secret that is not in these files/,
      },
    ],
  },
  'a variable that is there twice': inChat(
    'uniqueItems',
    (chat) => {
      const migration = (
        chat as unknown as { spec: { template: { spec: { initContainers: { env: object[] }[] } } } }
      ).spec.template.spec.initContainers[0]!;
      migration.env.push({ ...migration.env[0], value: '/elsewhere' });
    },
    `${firstField}.env[MIGRATION_DATABASE_URL_CHAT_FILE]`,
    /is there twice/,
    /Remove one/,
  ),
  'a port that is there twice': {
    rule: 'uniqueItems',
    by: (objects) => {
      const { spec } = findObject(objects, 'Service', 'api-gateway') as unknown as {
        spec: { ports: { name: string; port: number }[] };
      };
      spec.ports.push({ ...spec.ports[0]!, name: 'again' });
    },
    faults: [
      {
        object: 'Service mentorhub/api-gateway',
        field: 'spec.ports[again]',
        problem: /8001 TCP is there twice/,
        fix: /Remove one/,
      },
    ],
  },
  'an account that is not there': inChat(
    'referencesExist',
    (chat) => set(chat, [...pod, 'serviceAccountName'], 'chats'),
    'spec.template.spec.serviceAccountName',
    /no ServiceAccount chats/,
    /Correct the name/,
  ),
  'an autoscaler of nothing': {
    rule: 'referencesExist',
    by: (objects) =>
      set(
        findObject(objects, 'ScaledObject', 'chat-gateway'),
        ['spec', 'scaleTargetRef', 'name'],
        'chat-gate',
      ),
    faults: [
      {
        object: 'ScaledObject mentorhub/chat-gateway',
        field: 'spec.scaleTargetRef.name',
        problem: /no Deployment chat-gate/,
        fix: /Correct the name/,
      },
    ],
  },
  'backups to a store that is not there': inReference(
    ['Cluster', 'chat-db'],
    ['spec', 'plugins', 0, 'parameters', 'barmanObjectName'],
    'chats-db',
    'spec.plugins[barman-cloud.cloudnative-pg.io].parameters.barmanObjectName',
    /no ObjectStore chats-db/,
  ),
  'backups of a cluster that is not there': inReference(
    ['ScheduledBackup', 'chat-db'],
    ['spec', 'cluster', 'name'],
    'chats-db',
    'spec.cluster.name',
    /no Cluster chats-db/,
  ),
  'a certificate of a database that nobody makes': inReference(
    ['Cluster', 'chat-db'],
    ['spec', 'certificates', 'serverTLSSecret'],
    'chats-db-tls',
    'spec.certificates.serverTLSSecret',
    /no Secret chats-db-tls/,
  ),
  'a password of a role that nobody makes': inReference(
    ['Cluster', 'chat-db'],
    ['spec', 'managed', 'roles', 0, 'passwordSecret', 'name'],
    'chats-db-role',
    'spec.managed.roles[chat].passwordSecret.name',
    /no Secret chats-db-role/,
  ),
  'a password of an owner that nobody makes': inReference(
    ['Cluster', 'chat-db'],
    ['spec', 'bootstrap', 'initdb', 'secret', 'name'],
    'chats-db-owner',
    'spec.bootstrap.initdb.secret.name',
    /no Secret chats-db-owner/,
  ),
  'keys of the bucket that nobody makes': inReference(
    ['ObjectStore', 'chat-db'],
    ['spec', 'configuration', 's3Credentials', 'accessKeyId', 'key'],
    'access-key',
    'spec.configuration.s3Credentials.accessKeyId',
    /The Secret backup has no key access-key/,
  ),
  'an issuer that is not there': inReference(
    ['Certificate', 'nats'],
    ['spec', 'issuerRef', 'name'],
    'mentorhub',
    'spec.issuerRef.name',
    /no Issuer mentorhub/,
  ),
  'an authority without a certificate': inReference(
    ['Issuer', 'mentorhub-ca'],
    ['spec', 'ca', 'secretName'],
    'authority',
    'spec.ca.secretName',
    /no Secret authority/,
  ),
  'a route of a gateway that is not there': inReference(
    ['HTTPRoute', 'mentorhub'],
    ['spec', 'parentRefs', 0, 'name'],
    'edges',
    'spec.parentRefs[edges].name',
    /no Gateway edges/,
  ),
  'a volume with a Secret that nobody makes': inReference(
    ['StatefulSet', 'nats'],
    [...pod, 'volumes', 2, 'secret', 'secretName'],
    'nats-cert',
    'spec.template.spec.volumes[tls].secret.secretName',
    /no Secret nats-cert/,
  ),
  'a volume with a key that its Secret does not have': inReference(
    ['Deployment', 'chat'],
    [...pod, 'volumes', 0, 'secret', 'items', 0, 'key'],
    'root.crt',
    'spec.template.spec.volumes[ca].secret.items[0].key',
    /The Secret nats-tls has no key root\.crt/,
  ),
  'a route to a port that is not there': {
    rule: 'referencesExist',
    by: (objects) =>
      set(
        findObject(objects, 'HTTPRoute', 'mentorhub'),
        ['spec', 'rules', 0, 'backendRefs', 0, 'port'],
        8022,
      ),
    faults: [
      {
        object: 'HTTPRoute mentorhub/mentorhub',
        field: 'spec.rules[0].backendRefs[chat-gateway]',
        problem: /no Service chat-gateway with the port 8022/,
        fix: /name or the port/,
      },
    ],
  },
  'a selector that selects other pods': inChat(
    'selectorsSelect',
    (chat) => set(chat, ['spec', 'selector', 'matchLabels'], { app: 'chat' }),
    'spec.selector',
    /does not select the pods of its own template/,
    /labels that the template has/,
  ),
  'a Service without pods': {
    rule: 'selectorsSelect',
    by: (objects) =>
      set(findObject(objects, 'Service', 'chat'), ['spec', 'selector'], { app: 'chat' }),
    faults: [
      {
        object: 'Service mentorhub/chat',
        field: 'spec.selector',
        problem: /selects no pods/,
        fix: /labels that the pods have/,
      },
    ],
  },
  'a Service with a port that its pods do not have': {
    rule: 'selectorsSelect',
    by: (objects) =>
      set(findObject(objects, 'Service', 'api-gateway'), ['spec', 'ports', 0, 'targetPort'], 'web'),
    faults: [
      {
        object: 'Service mentorhub/api-gateway',
        field: 'spec.ports[http].targetPort',
        problem: /no port web/,
        fix: /port of the container/,
      },
    ],
  },
};

describe('a breach of a rule', () => {
  it.each(Object.entries(breaches))('is found: %s', (_title, { overlay, rule, by, faults }) => {
    const folder = `k8s/overlays/${overlay ?? 'production'}`;
    const objects = structuredClone(renders.find((each) => each.folder === folder)!.objects);
    by(objects);
    const beside = appliedBeside(objects, secrets);
    const found = rules[rule]!({ objects, overlay: objects, beside, apps });
    // The names of generated ConfigMaps end with a hash.
    const shown = found.map((each) => ({
      ...each,
      object: each.object.startsWith('ConfigMap ') ? 'ConfigMap' : each.object,
    }));
    expect(shown).toEqual(
      faults.map(({ object, field, problem, fix }) => ({
        object,
        field,
        problem: expect.stringMatching(problem) as string,
        fix: expect.stringMatching(fix) as string,
      })) satisfies Fault[],
    );
    for (const each of found) expect(`${each.problem} ${each.fix}`).toMatch(/^[^]*\.\s[^]*\.$/);
  });

  it('is tried for every rule', () => {
    const tried = new Set(Object.values(breaches).map(({ rule }) => rule));
    // It looks at the code, not at the manifests: below.
    tried.add('destinationsAreKnown');
    expect([...tried].toSorted()).toEqual(Object.keys(rules).toSorted());
  });
});

describe('an address that an app reads', () => {
  it('is known by its variable', () => {
    const identity = apps.get('identity')!;
    const addresses = Object.entries(identity.variables)
      .filter(([, variable]) => hasAddress(variable))
      .map(([name]) => name);
    expect(addresses).toEqual([
      'NATS_URL',
      'PUBLIC_URL',
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'DATABASE_URL',
      'DATABASE_DIRECT_URL',
      'MIGRATION_DATABASE_URL',
      'OIDC_GITHUB_URL',
      'AVATAR_S3_ENDPOINT',
    ]);
  });

  it('has to lead somewhere that the rule about the network knows', () => {
    const identity = apps.get('identity')!;
    const SEARCH_URL = { ...identity.variables['PUBLIC_URL']! };
    const app = { ...identity, variables: { ...identity.variables, SEARCH_URL } };
    expect(unknownDestinations(identity)).toEqual([]);
    expect(unknownDestinations(app)).toEqual(['SEARCH_URL']);

    const { objects } = renders.find(({ folder }) => folder === 'k8s/overlays/small/identity')!;
    const found = rules['destinationsAreKnown']!({
      objects,
      overlay: objects,
      beside: [],
      apps: new Map([['identity', app]]),
    });
    expect(found).toEqual([
      {
        object: 'Deployment mentorhub/identity',
        field: 'spec.template.spec',
        problem: 'identity reads the address SEARCH_URL, and it is not known where that leads.',
        fix: 'Say it in destinations of tools/manifests/src/rules/network.ts.',
      },
    ]);
  });
});
