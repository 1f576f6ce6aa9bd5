import type { INetworkPolicyPeer } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicyPeer';
import type { INetworkPolicyPort } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicyPort';
import type { INetworkPolicySpec } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicySpec';
import type { IServiceSpec } from 'kubernetes-models/v1/ServiceSpec';
import type { App } from '../apps.js';
import { databaseAddresses, databaseServer, databaseVariables } from '../databases.js';
import { type Fault, fault } from '../finding.js';
import type { FieldPath, KubernetesObject } from '../objects.js';
import { type LabelSelector, ofKind, selects, type Workload, workloadsOf } from '../workloads.js';
import { appOf, readConfiguration } from './configuration.js';
import type { Rule, Subject } from './rule.js';

type Direction = 'ingress' | 'egress';

/** Pods that policies are for: those of a workload, or of a cluster of PostgreSQL, which its operator makes. */
interface PodSet {
  /** `pods of chat`. */
  name: string;
  object: KubernetesObject;
  labels: Record<string, string>;
  /** The numbers of their named ports. */
  ports: Map<string, number>;
}

/** Who, and on which port: `pods of nats, TCP 4222`. */
type Edge = string;

const edge = (peer: string, port: number | string, protocol = 'TCP'): Edge =>
  `${peer}, ${protocol} ${port}`;

/** Peers that are not in the overlay, by the labels that lead to them. */
const outside = {
  dns: 'pods k8s-app=kube-dns in namespaces kubernetes.io/metadata.name=kube-system',
  monitoring: 'namespaces mentorhub/monitoring=true',
  inFront: 'namespaces mentorhub/edge=true',
  databaseOperator:
    'pods app.kubernetes.io/name=cloudnative-pg in namespaces kubernetes.io/metadata.name=cnpg-system',
  anywhere: 'anywhere',
  internet: 'the internet',
};

/** Networks in which the cluster and its neighbours are: what is allowed to reach the internet must not reach these. */
const privateNetworks = {
  '0.0.0.0/0': [
    '10.0.0.0/8',
    '100.64.0.0/10',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '172.16.0.0/12',
    '192.168.0.0/16',
  ],
  '::/0': ['fc00::/7', 'fe80::/10'],
};

function podSets(objects: readonly KubernetesObject[]): PodSet[] {
  const sets = workloadsOf(objects).map(({ object, labels, containers }) => ({
    name: `pods of ${object.metadata.name}`,
    object,
    labels,
    ports: new Map(
      containers.flatMap(({ container }) =>
        (container.ports ?? []).map(({ name = '', containerPort }) => [name, containerPort]),
      ),
    ),
  }));
  const clusters = ofKind(objects, 'Cluster').map((object) => ({
    name: `pods of ${object.metadata.name}`,
    object,
    labels: { 'cnpg.io/cluster': object.metadata.name, 'cnpg.io/podRole': 'instance' },
    ports: new Map([
      ['postgresql', 5432],
      ['metrics', 9187],
      ['status', 8000],
    ]),
  }));
  return [...sets, ...clusters];
}

/** The policies that select pods. */
function policiesOf(
  objects: readonly KubernetesObject[],
  { labels }: PodSet,
): { object: KubernetesObject; spec: INetworkPolicySpec }[] {
  return ofKind(objects, 'NetworkPolicy')
    .map((object) => ({ object, spec: object['spec'] as INetworkPolicySpec }))
    .filter(({ spec }) => selects(spec.podSelector ?? {}, labels));
}

/** What the policies allow, and where they say it. */
function allowedEdges(
  direction: Direction,
  pods: PodSet,
  subject: Subject,
): Map<Edge, { object: KubernetesObject; path: FieldPath }> {
  const edges = new Map<Edge, { object: KubernetesObject; path: FieldPath }>();
  const everybody = podSets(subject.overlay);
  for (const { object, spec } of policiesOf(subject.objects, pods)) {
    const rules =
      direction === 'ingress'
        ? (spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
        : (spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports }));
    for (const [index, { peers, ports }] of rules.entries()) {
      for (const { name, targets } of peersOf(peers, everybody)) {
        const owner = direction === 'ingress' ? [pods] : targets;
        for (const port of portsOf(ports, owner)) {
          edges.set(`${name}, ${port}`, { object, path: ['spec', direction, index] });
        }
      }
    }
  }
  return edges;
}

interface Peer {
  name: string;
  /** The pods, where they are in the overlay. */
  targets: PodSet[];
}

function peersOf(peers: INetworkPolicyPeer[] | undefined, everybody: PodSet[]): Peer[] {
  if (!peers || peers.length === 0) return [{ name: outside.anywhere, targets: [] }];
  const blocks = peers.flatMap(({ ipBlock }) => (ipBlock ? [ipBlock] : []));
  const isInternet =
    blocks.length === Object.keys(privateNetworks).length &&
    Object.entries(privateNetworks).every(([cidr, networks]) =>
      blocks.some(
        (block) =>
          block.cidr === cidr &&
          JSON.stringify((block.except ?? []).toSorted()) === JSON.stringify(networks.toSorted()),
      ),
    );
  const addresses = isInternet
    ? [outside.internet]
    : blocks.map(({ cidr, except = [] }) => ['addresses', cidr, ...except].join(' '));
  return [
    ...addresses.map((name) => ({ name, targets: [] })),
    ...peers.flatMap(({ podSelector, namespaceSelector }) => {
      if (namespaceSelector) {
        const namespaces = `namespaces ${selectorText(namespaceSelector)}`;
        const name = podSelector
          ? `pods ${selectorText(podSelector)} in ${namespaces}`
          : namespaces;
        return [{ name, targets: [] }];
      }
      if (!podSelector) return [];
      const targets = everybody.filter(({ labels }) => selects(podSelector, labels));
      return targets.length > 0
        ? targets.map((target) => ({ name: target.name, targets: [target] }))
        : [{ name: `pods ${selectorText(podSelector)}`, targets: [] }];
    }),
  ];
}

function selectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const parts = [
    ...Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`),
    ...matchExpressions.map(({ key, operator, values = [] }) =>
      [key, operator, ...values].join(' '),
    ),
  ];
  return parts.length > 0 ? parts.join(',') : '(all)';
}

function portsOf(ports: INetworkPolicyPort[] | undefined, owners: PodSet[]): string[] {
  if (!ports || ports.length === 0) return ['any port'];
  return ports.flatMap(({ port = 'any', protocol = 'TCP', endPort }) => {
    if (endPort !== undefined) return [`${protocol} ${port}-${endPort}`];
    if (typeof port === 'number') return [`${protocol} ${port}`];
    return owners.length > 0
      ? owners.map((owner) => `${protocol} ${owner.ports.get(port) ?? port}`)
      : [`${protocol} ${port}`];
  });
}

interface Edges {
  ingress: Set<Edge>;
  egress: Set<Edge>;
}

const dns: Edge[] = [edge(outside.dns, 53, 'UDP'), edge(outside.dns, 53)];

/** Variables with addresses that no app connects to. */
const shownOnly = new Set(['PUBLIC_URL']);

function toInternet(value: string): Edge[] {
  return [edge(outside.internet, new URL(value).protocol === 'https:' ? 443 : 80)];
}

/**
 * What an app connects to, by the variables that have an address. A variable that is not here is reported: somebody has to say
 * where it leads.
 */
const destinations: Record<string, (value: string, { overlay }: Subject) => Edge[] | undefined> = {
  NATS_URL: (value, { overlay }) =>
    value.split(',').flatMap((each) => {
      const { hostname, port } = new URL(each.trim());
      return serviceEdges(overlay, hostname, Number(port || 4222));
    }),
  SENDGRID_API_URL: toInternet,
  OIDC_GITHUB_URL: toInternet,
  AVATAR_S3_ENDPOINT: toInternet,
  OTEL_EXPORTER_OTLP_ENDPOINT: (value) => {
    const { port } = new URL(value);
    return [edge(outside.monitoring, Number(port || 4318))];
  },
};

/** By the addresses that the containers read from their Secrets. */
function databaseEdges(app: App, workload: Workload, subject: Subject): Edge[] {
  return databaseAddresses(subject, workload, app).flatMap(({ text }) => {
    const { hostname, port } = URL.parse(text) ?? { hostname: text, port: '' };
    const server = databaseServer(subject.overlay, hostname);
    return server?.cluster
      ? [edge(`pods of ${server.object.metadata.name}`, Number(port || 5432))]
      : serviceEdges(subject.overlay, hostname, Number(port || 5432));
  });
}

/** The pods behind a Service: `nats-0.nats-headless` is a name that the Service `nats-headless` gives. */
function serviceEdges(
  overlay: readonly KubernetesObject[],
  hostname: string,
  port: number,
): Edge[] {
  const names = hostname.split('.');
  for (const name of names.slice(0, 2)) {
    const service = ofKind(overlay, 'Service').find(({ metadata }) => metadata.name === name);
    if (!service) continue;
    const { selector = {}, ports = [] } = service['spec'] as IServiceSpec;
    const target = ports.find((each) => each.port === port)?.targetPort ?? port;
    return podSets(overlay)
      .filter(({ labels }) => selects({ matchLabels: selector }, labels))
      .map((pods) =>
        edge(pods.name, typeof target === 'number' ? target : (pods.ports.get(target) ?? target)),
      );
  }
  return [edge(`the host ${hostname}`, port)];
}

/** Whether a variable has an address, by what its value must be. */
export function hasAddress({ kind }: { kind: string }): boolean {
  return /^an (?:address that begins|http:\/\/ or https:\/\/ address)/.test(kind);
}

/** The variables of an app with an address of which it is not known where it leads. */
export function unknownDestinations({ variables }: App): string[] {
  return Object.entries(variables)
    .filter(([name, variable]) => hasAddress(variable) && !shownOnly.has(name))
    .map(([name]) => name)
    .filter((name) => !(name in destinations || databaseVariables.includes(name)));
}

/** The connections of an app, by its configuration. */
function appEdges(
  app: App,
  workload: Workload,
  config: Record<string, unknown>,
  subject: Subject,
): Edges {
  const ingress = new Set<Edge>([
    edge(outside.monitoring, Number(config['MANAGEMENT_PORT'])),
    ...('PORT' in config ? [edge(outside.inFront, Number(config['PORT']))] : []),
  ]);
  const egress = new Set<Edge>([...dns, ...databaseEdges(app, workload, subject)]);
  for (const [name, destination] of Object.entries(destinations)) {
    const value = config[name];
    if (typeof value !== 'string') continue;
    // An app that keeps its mails in files sends none.
    if (name === 'SENDGRID_API_URL' && config['MAIL_TRANSPORT'] !== 'sendgrid') continue;
    // Nobody signs in by way of GitHub.
    if (name === 'OIDC_GITHUB_URL' && config['OIDC_GITHUB_CLIENT_ID'] === undefined) continue;
    // Pictures lie in the database or on disk.
    if (name === 'AVATAR_S3_ENDPOINT' && config['AVATAR_STORAGE'] !== 's3') continue;
    for (const each of destination(value, subject) ?? []) egress.add(each);
  }
  return { ingress, egress };
}

/** The connections of all apps of the overlay. */
function allAppEdges(subject: Subject): { name: string; edges: Edges }[] {
  const whole = { ...subject, objects: subject.overlay };
  return workloadsOf(subject.overlay).flatMap((workload) => {
    const app = appOf(workload, subject);
    const config = app && readConfiguration(whole, workload, app);
    return app && config
      ? [
          {
            name: `pods of ${workload.object.metadata.name}`,
            edges: appEdges(app, workload, config, whole),
          },
        ]
      : [];
  });
}

/** The connections that pods have. */
function realEdges(pods: PodSet, subject: Subject): Edges | undefined {
  const workload = workloadsOf(subject.objects).find(({ object }) => object === pods.object);
  const app = workload && appOf(workload, subject);
  if (workload && app) {
    const config = readConfiguration(subject, workload, app);
    return config && appEdges(app, workload, config, subject);
  }
  // What the apps want of these pods.
  const clients = allAppEdges(subject).flatMap(({ name, edges }) =>
    [...edges.egress]
      .filter((each) => each.startsWith(`${pods.name}, `))
      .map((each) => `${name}${each.slice(pods.name.length)}`),
  );
  const ingress = new Set<Edge>(clients);
  const egress = new Set<Edge>();
  if (pods.object.kind === 'Cluster') {
    // https://cloudnative-pg.io/documentation/current/networking: the operator asks the instances for their state, instances
    // replicate from one another and use the API of the cluster; backups go to an object store.
    for (const port of [5432, 8000]) {
      ingress.add(edge(pods.name, port)).add(edge(outside.databaseOperator, port));
      egress.add(edge(pods.name, port));
    }
    ingress.add(edge(outside.monitoring, 9187));
    for (const each of [...dns, edge(outside.anywhere, 443), edge(outside.anywhere, 6443)]) {
      egress.add(each);
    }
  }
  const routes = pods.ports.get('cluster');
  if (routes !== undefined) {
    ingress.add(edge(pods.name, routes));
    for (const each of [...dns, edge(pods.name, routes)]) egress.add(each);
  }
  return { ingress, egress };
}

/** Whether a policy closes all pods of its namespace and opens nothing. */
function deniesAll({
  podSelector = {},
  policyTypes = [],
  ingress = [],
  egress = [],
}: INetworkPolicySpec): boolean {
  return (
    Object.keys(podSelector).length === 0 &&
    policyTypes.includes('Ingress') &&
    policyTypes.includes('Egress') &&
    ingress.length === 0 &&
    egress.length === 0
  );
}

/** What comes into the namespace later is closed as well, before anybody writes a policy for it. */
function openNamespaces({ objects }: Subject): Fault[] {
  const closed = ofKind(objects, 'NetworkPolicy').some(({ spec }) =>
    deniesAll(spec as INetworkPolicySpec),
  );
  return ofKind(objects, 'Namespace')
    .filter(() => !closed)
    .map((object) =>
      fault(
        object,
        ['metadata', 'name'],
        'Pods in it that no NetworkPolicy selects are open.',
        'Add a NetworkPolicy with podSelector {} and policyTypes [Ingress, Egress], and without rules.',
      ),
    );
}

/** All pods are closed but for the connections that they have. */
export const networkPolicies: Rule = (subject) => [
  ...openNamespaces(subject),
  ...podSets(subject.objects).flatMap((pods) => {
    const all = policiesOf(subject.objects, pods);
    // What is wrong is said of the pods' own policy, where there is one.
    const policies = [
      ...all.filter(({ spec }) => !deniesAll(spec)),
      ...all.filter(({ spec }) => deniesAll(spec)),
    ];
    const real = realEdges(pods, subject);
    return (['ingress', 'egress'] as const).flatMap((direction) => {
      const type = direction === 'ingress' ? 'Ingress' : 'Egress';
      const closing = policies.find(({ spec }) => spec.policyTypes?.includes(type));
      if (!closing) {
        const [policy] = policies;
        return [
          policy
            ? fault(
                policy.object,
                ['spec', 'policyTypes'],
                `It does not restrict the ${direction} of the ${pods.name}.`,
                `Add ${type} to policyTypes.`,
              )
            : fault(
                pods.object,
                ['metadata', 'labels'],
                `No NetworkPolicy selects the ${pods.name}, so its ${direction} is open.`,
                'Add a NetworkPolicy that selects them, with policyTypes [Ingress, Egress].',
              ),
        ];
      }
      if (!real) return [];
      return edgeFaults(
        direction,
        pods,
        policies[0]?.object ?? closing.object,
        real[direction],
        subject,
      );
    });
  }),
];

function edgeFaults(
  direction: Direction,
  pods: PodSet,
  policy: KubernetesObject,
  real: ReadonlySet<Edge>,
  subject: Subject,
): Fault[] {
  const allowed = allowedEdges(direction, pods, subject);
  const [who, verb] = direction === 'ingress' ? ['from', 'come'] : ['to', 'go'];
  return [
    ...[...real]
      .filter((each) => !allowed.has(each))
      .map((each) =>
        fault(
          policy,
          ['spec', direction],
          `Connections of the ${pods.name} ${verb} ${who} ${each}, and are not allowed.`,
          `Allow ${direction} ${who} there, on that port.`,
        ),
      ),
    ...[...allowed]
      .filter(([each]) => !real.has(each))
      .map(([each, { object, path }]) =>
        fault(
          object,
          path,
          `Connections of the ${pods.name} ${who} ${each} are allowed, and there are none.`,
          'Remove the peer or the port, or correct it.',
        ),
      ),
  ];
}

/** Every variable with an address leads somewhere that the rule about policies knows. */
export const destinationsAreKnown: Rule = (subject) =>
  workloadsOf(subject.objects).flatMap((workload) => {
    const app = appOf(workload, subject);
    return (app ? unknownDestinations(app) : []).map((name) =>
      fault(
        workload.object,
        ['spec', 'template', 'spec'],
        `${app?.name} reads the address ${name}, and it is not known where that leads.`,
        'Say it in destinations of tools/manifests/src/rules/network.ts.',
      ),
    );
  });
